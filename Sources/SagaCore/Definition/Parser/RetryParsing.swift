import JSON

/// The parts of a retry policy that a definition states in one place.
struct PartialRetry {
    var maximumAttempts: Int?
    var initialInterval: TimeSpan?
    var backoffCoefficient: Double?
    var maximumInterval: TimeSpan?
    var jitter: RetryPolicy.Jitter?
    var retryableErrors: [String]?
    var nonRetryableErrors: [String]?
    /// Where the policy stands in the file.
    var offset = 0
    /// Where the intervals stand in the file.
    var initialIntervalOffset = 0
    var maximumIntervalOffset = 0
}

extension PartialRetry {
    static let keys = [
        "maximumAttempts", "initialInterval", "backoffCoefficient", "maximumInterval", "jitter", "retryableErrors",
        "nonRetryableErrors",
    ]

    init?(_ node: LocatedJSON?, log: FindingLog) {
        guard let node, let reader = ObjectReader(node, "`retry`", keys: Self.keys, log: log) else { return nil }
        offset = node.range.lowerBound
        maximumAttempts = reader.integer("maximumAttempts", DefinitionLimits.maximumAttempts)
        initialInterval = reader.duration("initialInterval")
        initialIntervalOffset = reader["initialInterval"]?.range.lowerBound ?? node.range.lowerBound
        backoffCoefficient = reader.number(
            "backoffCoefficient",
            DefinitionLimits.backoffCoefficient,
            words: "a number from 1 to 1000"
        )
        maximumInterval = reader.duration("maximumInterval")
        maximumIntervalOffset = reader["maximumInterval"]?.range.lowerBound ?? node.range.lowerBound
        jitter = reader.choice("jitter", RetryPolicy.Jitter.self)
        retryableErrors = reader.errorNames("retryableErrors")
        nonRetryableErrors = reader.errorNames("nonRetryableErrors")
        reportNamesInBoth(reader)
    }

    private func reportNamesInBoth(_ reader: ObjectReader) {
        guard let retryableErrors, let elements = reader["nonRetryableErrors"]?.elements else { return }
        let retried = Set(retryableErrors)
        for element in elements {
            guard let name = element.stringValue, retried.contains(name) else { continue }
            reader.log.error(
                .conflictingKeys,
                at: element.range.lowerBound,
                "\(quoted(name)) is in `retryableErrors` too",
                hint: "an error is either tried again or not"
            )
        }
    }

    /// The whole policy: what is stated here, else what `defaults` states, else what is built in.
    ///
    /// Each part is taken by itself. `maximumInterval` is built in as 100 × the resulting `initialInterval` for actions;
    /// for compensations, and for the steps after the pivot, which have their defaults, as 5 minutes or the
    /// `initialInterval`, whichever is longer. Lists of errors replace those of `defaults`, they don't add to them.
    static func resolved(
        _ own: PartialRetry?,
        defaults: PartialRetry?,
        builtIn: BuiltInRetry,
        log: FindingLog
    ) -> RetryPolicy {
        func stated<Part>(_ part: KeyPath<PartialRetry, Part?>) -> Part? {
            own?[keyPath: part] ?? defaults?[keyPath: part]
        }
        reportIntervals(own, defaults: defaults, log: log)
        let base = builtIn.policy
        let initialInterval = stated(\.initialInterval) ?? base.initialInterval
        let longest =
            builtIn == .action
            ? TimeSpan.scaled(initialInterval.microseconds, 100) : max(base.maximumInterval, initialInterval)
        return RetryPolicy(
            maximumAttempts: stated(\.maximumAttempts) ?? base.maximumAttempts,
            initialInterval: initialInterval,
            backoffCoefficient: stated(\.backoffCoefficient) ?? base.backoffCoefficient,
            maximumInterval: stated(\.maximumInterval) ?? longest,
            jitter: stated(\.jitter) ?? base.jitter,
            retryableErrors: stated(\.retryableErrors) ?? [],
            nonRetryableErrors: stated(\.nonRetryableErrors) ?? []
        )
    }

    /// Reports a first interval longer than the longest, where both are stated; at the nearer of the two to the step.
    static func reportIntervals(_ own: PartialRetry?, defaults: PartialRetry?, log: FindingLog) {
        let first = own?.initialInterval ?? defaults?.initialInterval
        let longest = own?.maximumInterval ?? defaults?.maximumInterval
        guard let own, own.initialInterval != nil || own.maximumInterval != nil, let first, let longest, first > longest
        else { return }
        let isFirstOwn = own.initialInterval != nil
        let isBothOwn = isFirstOwn && own.maximumInterval != nil
        log.error(
            .outOfRange,
            at: isFirstOwn ? own.initialIntervalOffset : own.maximumIntervalOffset,
            "`initialInterval` (\(first.written)) is longer than `maximumInterval` (\(longest.written))",
            hint: isBothOwn ? nil : "`\(isFirstOwn ? "maximumInterval" : "initialInterval")` comes from `defaults`"
        )
    }
}

/// Whose retry policy holds where neither a step nor `defaults` states one.
enum BuiltInRetry {
    case action, compensation

    var policy: RetryPolicy { self == .action ? .action : .compensation }
}

extension ObjectReader {
    /// A list of the names of errors.
    fileprivate func errorNames(_ key: String) -> [String]? {
        guard let value = node[key] else { return nil }
        guard let elements = value.elements else {
            log.wrongKind(value, "`\(key)`", expected: "an array of names")
            return nil
        }
        var names: [String] = []
        var seen: Set<String> = []
        for element in elements {
            guard let name = log.string(element, "an error's name") else { continue }
            let offset = element.range.lowerBound
            if !Names.isErrorName(name) {
                log.error(
                    .invalidName,
                    at: offset,
                    "\(quoted(name)) can't be an error's name",
                    hint: "1 to 128 letters, digits, and . _ : -"
                )
            } else if !seen.insert(name).inserted {
                log.error(.duplicateKey, at: offset, "the error \(quoted(name)) is there twice")
            } else {
                warnOfUnknownError(name, at: offset)
                names.append(name)
            }
        }
        return names
    }

    /// `Saga.` is reserved for the engine's own errors, so a name with it that the engine never gives is a slip.
    private func warnOfUnknownError(_ name: String, at offset: Int) {
        let status = "Saga.HTTP."
        guard name.hasPrefix("Saga."), !EngineError.all.contains(name) else { return }
        if name.hasPrefix(status), let number = Int(name.dropFirst(status.count)), (300...599).contains(number) {
            return
        }
        log.warning(
            .unknownError,
            at: offset,
            "the engine has no error \(quoted(name))",
            hint: NearestName.hint(name, among: EngineError.all)
        )
    }
}

extension EngineError {
    /// The engine's errors but for those of HTTP statuses.
    fileprivate static let all = [
        connectFailed, timeout, connectionLost, daemonLost, badResponse, expression, cancelled, deadlineExceeded,
        invalidInput, unreadable,
    ]
}
