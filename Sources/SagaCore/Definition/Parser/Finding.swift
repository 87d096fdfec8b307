/// One fault or doubt that the validator found in a definition file.
public struct Finding: Sendable, Hashable {
    /// How much a finding matters.
    public enum Severity: String, Sendable, Hashable, CaseIterable {
        /// The file can't be used.
        case error
        /// The file can be used, but something in it has no effect or another than its reader may think.
        case warning
    }

    /// As the caller named it; nil when it gave none.
    public let file: String?
    /// From 1.
    public let line: Int
    /// From 1, counted in Unicode scalars.
    public let column: Int
    public let severity: Severity
    /// A stable name in kebab case, such as `unknown-key`.
    public let code: String
    /// What is wrong, as a clause without capital and full stop.
    public let message: String
    /// What would be right.
    public let hint: String?
    /// The text at fault in its line; nil where there is none to show, or it may hold a secret.
    public let excerpt: FindingExcerpt?

    public init(
        file: String?,
        line: Int,
        column: Int,
        severity: Severity,
        code: String,
        message: String,
        hint: String?,
        excerpt: FindingExcerpt? = nil
    ) {
        self.file = file
        self.line = line
        self.column = column
        self.severity = severity
        self.code = code
        self.message = message
        self.hint = hint
        self.excerpt = excerpt
    }

    /// One line for people and editors: `FILE:LINE:COL: error: what is wrong; hint`.
    public var text: String {
        let place = [file, String(line), String(column)].compactMap { $0 }.joined(separator: ":")
        return "\(place): \(severity.rawValue): " + [message, hint].compactMap { $0 }.joined(separator: "; ")
    }

    /// `text`, and below it the line of the file with what is at fault underlined.
    public var lines: [String] { [text] + (excerpt.map { $0.lines(number: line) } ?? []) }
}

extension Finding {
    /// The names that findings go by.
    ///
    /// They are part of the contract: scripts filter by them.
    package enum Code: String, CaseIterable {
        // The file as a whole
        case emptyFile = "empty-file"
        case fileTooLarge = "file-too-large"
        case byteOrderMark = "byte-order-mark"
        case notUTF8 = "not-utf-8"
        case syntax
        case tooManyFindings = "too-many-findings"
        case duplicateSaga = "duplicate-saga"
        // Shape
        case wrongKind = "wrong-kind"
        case unknownKey = "unknown-key"
        case duplicateKey = "duplicate-key"
        case missingKey = "missing-key"
        case conflictingKeys = "conflicting-keys"
        case invalidName = "invalid-name"
        case invalidValue = "invalid-value"
        case invalidDuration = "invalid-duration"
        case invalidSchema = "invalid-schema"
        case outOfRange = "out-of-range"
        case noEffect = "no-effect"
        // Services and calls
        case unknownService = "unknown-service"
        case invalidURL = "invalid-url"
        case invalidPath = "invalid-path"
        case invalidHeader = "invalid-header"
        case forbiddenHeader = "forbidden-header"
        case duplicateHeader = "duplicate-header"
        case unusedService = "unused-service"
        case invalidEnvironment = "invalid-environment"
        case unknownError = "unknown-error"
        // Steps and their order
        case noSteps = "no-steps"
        case tooManySteps = "too-many-steps"
        case duplicateStep = "duplicate-step"
        case emptyStep = "empty-step"
        case unknownStep = "unknown-step"
        case afterItself = "after-itself"
        case duplicateAfter = "duplicate-after"
        case cycle
        case missingCompensation = "missing-compensation"
        case secondPivot = "second-pivot"
        case pivotOrder = "pivot-order"
        case pivotCompensation = "pivot-compensation"
        case neverRuns = "never-runs"
        case compensationNeverRuns = "compensation-never-runs"
        // Times
        case deadlineTooShort = "deadline-too-short"
        case retryTooShortAfterPivot = "retry-too-short-after-pivot"
        // Expressions
        case unterminatedExpression = "unterminated-expression"
        case emptyExpression = "empty-expression"
        case invalidExpression = "invalid-expression"
        case expressionInName = "expression-in-name"
        case notAnExpression = "not-an-expression"
        case unknownMember = "unknown-member"
        case dynamicStep = "dynamic-step"
        case stepNotBefore = "step-not-before"
        case failureOutOfScope = "failure-out-of-scope"
        case unknownInput = "unknown-input"
        case mayBeMissing = "may-be-missing"
        case mayBeSkipped = "may-be-skipped"
        case mayBeNull = "may-be-null"
        case neverEqual = "never-equal"
        // Scenario files
        case noScenarios = "no-scenarios"
        case duplicateScenario = "duplicate-scenario"
        case unreadableDefinition = "unreadable-definition"
        case nothingExpected = "nothing-expected"
        case neverUsed = "never-used"
    }
}
