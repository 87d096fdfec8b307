/// What one call sends, checked and encoded before it reaches the connection.
struct Request: Sendable {
    private enum Form {
        case pipeline
        /// Statements between a BEGIN and a COMMIT of our own.
        case transaction
        case script(String)
    }

    private let form: Form
    private let statements: [PostgresStatement]
    private let parameters: [EncodedParameters]

    /// Whether there is nothing to send.
    let isEmpty: Bool

    /// Whether a transaction still open afterwards is this request's own.
    var endsItsTransaction: Bool {
        if case .transaction = form { true } else { false }
    }

    private init(_ form: Form, _ statements: [PostgresStatement], isEmpty: Bool) throws(PostgresError) {
        var parameters: [EncodedParameters] = []
        parameters.reserveCapacity(statements.count)
        for (index, statement) in statements.enumerated() {
            do throws(PostgresError) {
                try Self.check(statement.sql)
                guard statement.parameters.count <= 65_535 else {
                    throw PostgresError(
                        .invalidRequest,
                        "\(statement.parameters.count) parameters: the protocol has room for 65535"
                    )
                }
                parameters.append(try EncodedParameters(statement.parameters))
            } catch {
                var error = error
                error.statementIndex = index
                throw error
            }
        }
        self.form = form
        self.statements = statements
        self.parameters = parameters
        self.isEmpty = isEmpty
    }

    private init(trusted statements: [PostgresStatement]) {
        form = .pipeline
        self.statements = statements
        parameters = statements.map { _ in EncodedParameters() }
        isEmpty = false
    }

    static func query(_ statement: PostgresStatement) throws(PostgresError) -> Request {
        do throws(PostgresError) {
            return try Request(.pipeline, [statement], isEmpty: false)
        } catch {
            throw error.withoutIndex
        }
    }

    static func pipeline(_ statements: [PostgresStatement]) throws(PostgresError) -> Request {
        try Request(.pipeline, statements, isEmpty: statements.isEmpty)
    }

    static func transaction(_ statements: [PostgresStatement]) throws(PostgresError) -> Request {
        do throws(PostgresError) {
            let all = [PostgresStatement("BEGIN")] + statements + [PostgresStatement("COMMIT")]
            return try Request(.transaction, all, isEmpty: statements.isEmpty)
        } catch {
            throw error.indexedWithinTransaction(of: statements.count)
        }
    }

    static func script(_ script: String) throws(PostgresError) -> Request {
        try check(script)
        return try Request(.script(script), [], isEmpty: false)
    }

    static let rollback = Request(trusted: [PostgresStatement("ROLLBACK")])

    /// The instant at which a timeout that begins now is over; nil for none.
    static func deadline(_ timeout: Duration?) -> ContinuousClock.Instant? {
        // Beyond a century a timeout is none: adding it to the clock could overflow.
        timeout.flatMap { $0 > .seconds(3_000_000_000) ? nil : .now + max($0, .zero) }
    }

    /// Sends the request and waits for its results.
    func run(_ exchange: inout Exchange) throws(PostgresError) -> [PostgresResult] {
        switch form {
        case .pipeline:
            return try exchange.runPipeline(statements, parameters)
        case .script(let script):
            try exchange.runScript(script)
            return []
        case .transaction:
            do throws(PostgresError) {
                let results = try exchange.runPipeline(statements, parameters)
                return Array(results.dropFirst().dropLast())
            } catch {
                throw error.indexedWithinTransaction(of: statements.count - 2)
            }
        }
    }

    /// The one result of a query.
    func single(_ results: [PostgresResult]) throws(PostgresError) -> PostgresResult {
        guard let result = results.first, results.count == 1 else {
            throw PostgresError(.connectionLost, "\(results.count) results of one statement")
        }
        return result
    }

    private static func check(_ sql: String) throws(PostgresError) {
        if sql.utf8.contains(0) { throw PostgresError(.invalidRequest, "the SQL contains a NUL") }
    }
}

extension PostgresError {
    /// The error of a query, which is no pipeline to have a place in.
    var withoutIndex: PostgresError {
        var error = self
        error.statementIndex = nil
        return error
    }

    /// Moves the index from the pipeline with BEGIN and COMMIT to the caller's statements.
    fileprivate func indexedWithinTransaction(of count: Int) -> PostgresError {
        var error = self
        error.statementIndex = statementIndex.flatMap { (1...max(1, count)).contains($0) && count > 0 ? $0 - 1 : nil }
        return error
    }
}
