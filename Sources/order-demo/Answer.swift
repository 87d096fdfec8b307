import JSON

/// What a service answers a call with.
struct Answer: Sendable, Equatable {
    /// What becomes of the answer on its way back.
    enum Delivery: Sendable, Equatable {
        case prompt
        /// It comes, but only after the time that `--hold` gives.
        case slow
        /// The effect is committed, but the connection is closed in place of an answer, after the time of `--hold`.
        case lost
    }

    /// HTTP status.
    let status: Int
    /// A JSON text; empty when the answer has no body.
    let body: [UInt8]
    var delivery: Delivery = .prompt

    init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }

    init(status: Int, _ body: JSON) {
        self.init(status: status, body: body.serialized())
    }

    func delivered(_ delivery: Delivery) -> Answer {
        var answer = self
        answer.delivery = delivery
        return answer
    }
}

/// A call that ends without an effect: answered with `status` and the body `{"error": …, "message": …}`.
struct ServiceError: Error, Sendable, Equatable {
    let status: Int
    /// The name by which a saga knows the error, such as `CardDeclined`.
    let name: String
    let message: String

    init(_ status: Int, _ name: String, _ message: String) {
        self.status = status
        self.name = name
        self.message = message
    }

    var answer: Answer {
        Answer(status: status, ["error": .string(name), "message": .string(message)])
    }

    static func badRequest(_ message: String) -> ServiceError {
        ServiceError(400, "BadRequest", message)
    }

    /// The effect may or may not be there: a caller has to ask again.
    static func unavailable(_ message: String) -> ServiceError {
        ServiceError(503, "Unavailable", message)
    }
}
