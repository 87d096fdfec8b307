import JSON

/// An action or compensation as its step states it, before `defaults` are applied.
struct OperationDraft {
    /// nil when it is faulty.
    var kind: Operation.Kind?
    /// Whether it may change something at a participant, so that an action must say how it is undone.
    var hasEffect = false
    var timeout: TimeSpan?
    /// Where the `timeout` stands, if one is stated.
    var timeoutOffset: Int?
    var retry: PartialRetry?
    var outcomes: [Int: Outcome] = [:]
}

/// Reads the actions and compensations of a definition.
struct OperationParser {
    static let kinds = ["http", "pass", "noop"]
    static let keys = kinds + ["timeout", "retry", "outcomes"]

    let log: FindingLog
    let ledger: ExpressionLedger
    private(set) var services: ServiceTable

    init(services: ServiceTable, ledger: ExpressionLedger, log: FindingLog) {
        self.services = services
        self.ledger = ledger
        self.log = log
    }

    /// - Parameter key: `action` or `compensation`.
    mutating func operation(_ node: LocatedJSON, _ key: String, _ site: ExpressionSite) -> OperationDraft {
        var draft = OperationDraft()
        guard let reader = ObjectReader(node, "`\(key)`", keys: Self.keys, log: log) else { return draft }
        draft.timeout = reader.duration("timeout")
        draft.timeoutOffset = reader["timeout"]?.range.lowerBound
        draft.retry = PartialRetry(reader["retry"], log: log)
        if let outcomes = reader["outcomes"] { draft.outcomes = self.outcomes(outcomes) }
        let stated = Self.kinds.filter { reader[$0] != nil }.sorted { reader.keyOffset($0) < reader.keyOffset($1) }
        guard let kind = stated.first, stated.count == 1, let value = reader[kind] else {
            reportKinds(stated, reader)
            return draft
        }
        if kind != "http", reader["outcomes"] != nil {
            log.error(
                .conflictingKeys,
                at: reader.keyOffset("outcomes"),
                "`outcomes` is for `http`: `\(kind)` has no HTTP status"
            )
        }
        switch kind {
        case "http": http(value, outcomesBeside: reader["outcomes"] != nil, into: &draft, site)
        case "pass":
            draft.kind = .pass(ledger.template(value, site))
            for key in ["timeout", "retry"] where reader[key] != nil {
                log.warning(.noEffect, at: reader.keyOffset(key), "`\(key)` has no effect: `pass` makes no call")
            }
        default:
            if value.boolValue != true { _ = ObjectReader(value, "`noop`", keys: [], log: log) }
            draft.kind = .noop
        }
        return draft
    }

    private func reportKinds(_ stated: [String], _ reader: ObjectReader) {
        if stated.count > 1 {
            log.error(
                .conflictingKeys,
                at: reader.keyOffset(stated[1]),
                "\(reader.subject) has both `\(stated[0])` and `\(stated[1])`",
                hint: "it does one thing"
            )
        } else if !reader.hasUnknownKeys {
            log.error(
                .missingKey,
                at: reader.node.range.lowerBound,
                "\(reader.subject) says nothing to do",
                hint: "give it \(wordList(Self.kinds.map { "`\($0)`" }))"
            )
        }
    }

    /// `{"409": "done"}`: HTTP statuses whose outcome the definition changes.
    private func outcomes(_ node: LocatedJSON) -> [Int: Outcome] {
        guard let members = node.members else {
            log.wrongKind(node, "`outcomes`", expected: "an object")
            return [:]
        }
        var outcomes: [Int: Outcome] = [:]
        let words = Outcome.allCases.map(\.rawValue)
        for member in members {
            let status = member.key.utf8.count == 3 ? Int(member.key) : nil
            if let status, DefinitionLimits.httpStatus.contains(status) {
                if let text = log.string(member.value, "an outcome") {
                    outcomes[status] = Outcome(rawValue: text)
                    if outcomes[status] == nil {
                        log.error(
                            .invalidValue,
                            at: member.value.range.lowerBound,
                            "\(quoted(text)) is not an outcome",
                            hint: NearestName.hint(text, among: words) ?? "write \(wordList(words))"
                        )
                    }
                }
            } else {
                log.error(
                    .outOfRange,
                    at: member.keyRange.lowerBound,
                    "\(quoted(member.key)) is not an HTTP status",
                    hint: "write a number from 100 to 599"
                )
            }
        }
        return outcomes
    }
}

// MARK: - HTTP

extension OperationParser {
    static let httpKeys = ["service", "url", "method", "path", "query", "headers", "body", "outcomes"]
    static let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

    private mutating func http(
        _ node: LocatedJSON,
        outcomesBeside: Bool,
        into draft: inout OperationDraft,
        _ site: ExpressionSite
    ) {
        guard let reader = ObjectReader(node, "`http`", keys: Self.httpKeys, log: log) else { return }
        if let outcomes = reader["outcomes"] {
            if outcomesBeside {
                log.error(
                    .conflictingKeys,
                    at: reader.keyOffset("outcomes"),
                    "`outcomes` is both in `http` and beside it",
                    hint: "keep one"
                )
            }
            draft.outcomes = self.outcomes(outcomes)
        }
        let method = self.method(reader)
        draft.hasEffect = method.map { $0 != "GET" && $0 != "HEAD" } ?? false
        let target = reader["url"].map { wholeURL($0, reader, site) } ?? serviceAndPath(reader, site)
        let query = self.query(reader["query"], site)
        let headers = self.headers(reader["headers"], site)
        let body = reader["body"].map { ledger.template($0, site) }
        guard let method, let target else { return }
        draft.kind = .http(
            HTTPOperation(
                service: target.service,
                method: method,
                path: target.path,
                query: query,
                headers: headers,
                body: body
            )
        )
    }

    private func method(_ reader: ObjectReader) -> String? {
        guard let node = reader["method"] else { return "POST" }
        guard let text = log.string(node, "`method`") else { return nil }
        if Self.methods.contains(text) { return text }
        log.error(
            .invalidValue,
            at: node.range.lowerBound,
            "\(quoted(text)) is not a method",
            hint: NearestName.hint(text, among: Self.methods) ?? "write \(wordList(Self.methods))"
        )
        return nil
    }

    private func serviceAndPath(_ reader: ObjectReader, _ site: ExpressionSite) -> (service: Int, path: Template)? {
        let service = reader.required("service", hint: "name one of `services`, or give a whole `url`")
            .flatMap(self.service)
        let node = reader.required("path", hint: "such as \"/charges\"")
        guard let node, log.string(node, "`path`") != nil, let path = ledger.text(node, "`path`", site) else {
            return nil
        }
        guard isPath(path, at: node, "`path`"), let service else { return nil }
        return (service, path)
    }

    private func service(_ node: LocatedJSON) -> Int? {
        guard let name = log.string(node, "`service`") else { return nil }
        if let index = services.index(of: name) { return index }
        if !services.names.contains(name) {
            log.error(
                .unknownService,
                at: node.range.lowerBound,
                "there is no service \(quoted(name))",
                hint: log.nearest(name, among: services.names) ?? servicesHint
            )
        }
        return nil
    }

    /// All services, if they aren't too many to be read.
    private var servicesHint: String {
        services.names.isEmpty || services.names.count > 12
            ? "state it under `services`" : "`services` has \(wordList(services.names.map(quoted)))"
    }

    /// A whole `url`: up to its path it is a service of its own, behind that a path.
    private mutating func wholeURL(
        _ node: LocatedJSON,
        _ reader: ObjectReader,
        _ site: ExpressionSite
    ) -> (service: Int, path: Template)? {
        for key in ["service", "path"] where reader[key] != nil {
            log.error(
                .conflictingKeys,
                at: reader.keyOffset(key),
                "`http` has both `url` and `\(key)`",
                hint: "`url` stands in place of `service` and `path`"
            )
        }
        guard log.string(node, "`url`") != nil, let template = ledger.text(node, "`url`", site) else { return nil }
        let url: URLSyntax
        do throws(URLSyntax.Fault) {
            guard let first = template.literals.first else { throw .init(message: "its host and port must be fixed") }
            url = try URLSyntax(first)
            // An expression directly behind the origin would be part of the host or port.
            if url.rest.isEmpty, template.constant == nil { throw .init(message: "its host and port must be fixed") }
        } catch {
            log.error(
                .invalidURL,
                at: node.range.lowerBound,
                "this URL can't be called: \(error.message)",
                hint: "a host from the environment goes into `services`"
            )
            return nil
        }
        var isFirst = true
        let path = template.mapLiterals { literal in
            defer { isFirst = false }
            return isFirst ? url.rest : literal
        }
        return isPath(path, at: node, "`url`") ? (services.index(ofURL: url), path) : nil
    }

    private func isPath(_ path: Template, at node: LocatedJSON, _ subject: String) -> Bool {
        let offset = node.range.lowerBound
        if case .constant(.string("")) = path { return true }
        let beginning: String? =
            switch path {
            case .constant(let json): json.stringValue
            case .text(let parts): if case .literal(let text)? = parts.first { text } else { nil }
            case .expression, .array, .object: nil
            }
        guard let beginning, beginning.hasPrefix("/") || beginning.hasPrefix("?") else {
            let isWholeURL = beginning.map { $0.hasPrefix("http://") || $0.hasPrefix("https://") } ?? false
            log.error(
                .invalidPath,
                at: offset,
                "\(subject) must begin with `/`",
                hint: isWholeURL
                    ? "a whole URL is stated as `url`, in place of `service` and `path`"
                    : "what expressions give is percent-encoded, a `/` too"
            )
            return false
        }
        for literal in path.literals {
            if let fault = URLSyntax.fault(inPath: literal) {
                log.error(.invalidPath, at: offset, "\(subject) can't be sent: \(fault.message)")
                return false
            }
        }
        return true
    }

    private func query(_ node: LocatedJSON?, _ site: ExpressionSite) -> [(name: String, value: Template)] {
        guard let node else { return [] }
        guard let members = node.members else {
            log.wrongKind(node, "`query`", expected: "an object")
            return []
        }
        return members.compactMap { member in
            if member.key.isEmpty {
                log.error(.invalidName, at: member.keyRange.lowerBound, "a name must not be empty")
                return nil
            }
            let value = ledger.text(member.value, "the query parameter \(quoted(member.key))", site)
            // Encoded once here, so that a call only has to encode what its expressions give.
            return value.map { (member.key, $0.mapLiterals(URLSyntax.percentEncoded)) }
        }
    }

    private func headers(_ node: LocatedJSON?, _ site: ExpressionSite) -> [(name: String, value: Template)] {
        Headers.allowed(node, log: log).compactMap { member in
            guard let value = ledger.text(member.value, "the header \(quoted(member.key))", site) else { return nil }
            let offset = member.value.range.lowerBound
            let isSound = value.literals.allSatisfy { Headers.isValue($0, of: member.key, at: offset, log: log) }
            return isSound ? (member.key, value) : nil
        }
    }
}
