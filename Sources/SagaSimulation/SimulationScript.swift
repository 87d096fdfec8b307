import JSON
import SagaCore

/// What participants answer in a simulation.
///
/// What no rule speaks of is done at once, with the step's output.
public struct SimulationScript: Sendable, Hashable {
    /// An operation of a step, by name: `charge`, or `charge:compensation`.
    public struct Target: Sendable, Hashable, CustomStringConvertible {
        public let step: String
        public let side: OperationSide

        public init(_ step: String, _ side: OperationSide = .action) {
            self.step = step
            self.side = side
        }

        public var description: String { side == .action ? step : "\(step):\(side.rawValue)" }
    }

    /// How an attempt goes.
    public enum Reply: Sendable, Hashable {
        /// The effect happens and the answer comes; nil gives the step's output.
        case done(output: RawJSON?)
        /// An HTTP status of 300 or more, with its outcome in production and that error (nil: the status's own).
        /// No effect.
        case status(Int, error: String?)
        /// The participant says no, or was never reached: no effect.
        case failed(Answer.Refusal)
        /// It isn't known whether it happened. With `hasEffect` it did, and its answer was lost.
        case unknown(Answer.Refusal, hasEffect: Bool)
        /// No answer within the attempt's timeout.
        case timeout(hasEffect: Bool)
        /// No answer within the attempt's timeout, and the effect happens so long after the call went out: the request
        /// was held up on its way.
        case straggles(after: TimeSpan)

        /// The effect happens, the connection breaks before the answer comes.
        public static let lost = Reply.unknown(
            .init(error: EngineError.connectionLost, message: "the answer was lost", isRetryable: true), hasEffect: true
        )

        /// The participant can't be reached.
        public static let unreachable = Reply.failed(
            .init(
                error: EngineError.connectFailed, message: "connection refused", isRetryable: true, health: .failure))
    }

    /// What happens to the attempts of one operation.
    public struct Rule: Sendable, Hashable {
        public let target: Target
        /// From 1; nil means every attempt that no other rule names.
        public let attempt: Int?
        /// nil leaves the answer as it is.
        public let reply: Reply?
        /// How long the answer takes; nil leaves it as it is.
        ///
        /// An answer that takes longer than the attempt's timeout
        /// doesn't come.
        public let delay: TimeSpan?

        public init(_ target: Target, attempt: Int? = nil, reply: Reply? = nil, delay: TimeSpan? = nil) {
            self.target = target
            self.attempt = attempt
            self.reply = reply
            self.delay = delay
        }
    }

    /// Of two that speak of the same the last one holds, one that names the attempt before one that doesn't.
    public var rules: [Rule]
    /// What steps answer, by name; null for the others.
    public var outputs: [String: RawJSON]

    public init(rules: [Rule] = [], outputs: [String: RawJSON] = [:]) {
        self.rules = rules
        self.outputs = outputs
    }

    func reply(to target: Target, attempt: Int) -> Reply {
        rule(for: target, attempt) { $0.reply != nil }?.reply ?? .done(output: nil)
    }

    func delay(of target: Target, attempt: Int) -> TimeSpan {
        rule(for: target, attempt) { $0.delay != nil }?.delay ?? .zero
    }

    private func rule(for target: Target, _ attempt: Int, where isMeant: (Rule) -> Bool) -> Rule? {
        let meant = rules.filter { $0.target == target && isMeant($0) }
        return meant.last { $0.attempt == attempt } ?? meant.last { $0.attempt == nil }
    }
}

extension SimulationScript.Reply {
    /// The answer that an error of this name comes with.
    ///
    /// The engine's own names, with or without `Saga.`, and HTTP statuses (`503`, `HTTP.503`) mean what they mean in
    /// production; any other is a participant's word that ends the attempts, as a 422 would.
    public init(failingWith name: String) {
        let bare = name.hasPrefix("Saga.") ? String(name.dropFirst(5)) : name
        switch bare {
        case "ConnectFailed": self = .unreachable
        case "ConnectionLost": self = .lost
        case "Timeout": self = .timeout(hasEffect: false)
        case "DaemonLost", "BadResponse":
            let refusal = Answer.Refusal(
                error: "Saga.\(bare)", message: "simulated", isRetryable: bare == "DaemonLost")
            self = .unknown(refusal, hasEffect: false)
        default:
            let digits = bare.hasPrefix("HTTP.") ? bare.dropFirst(5) : bare[...]
            if digits.count == 3, let status = Int(digits), (300...599).contains(status) {
                self = .status(status, error: nil)
            } else {
                self = .status(422, error: name)
            }
        }
    }
}

extension Answer {
    /// The answer of an HTTP status of 300 or more: the table of the design.
    ///
    /// - Parameter outcomes: the call's own.
    static func status(_ status: Int, error: String?, outcomes: [Int: Outcome]) -> Answer {
        let isUnknown = status < 400 || status == 408 || status == 425 || (status >= 500 && status != 501)
        let refusal = Refusal(
            error: error ?? EngineError.http(status), message: "HTTP \(status)",
            isRetryable: status == 429 || (isUnknown && status >= 400), health: status == 429 ? .failure : nil)
        switch outcomes[status] ?? (isUnknown ? .unknown : .failed) {
        case .done: return .done(output: .null)
        case .failed: return .failed(refusal)
        case .unknown: return .unknown(refusal)
        }
    }
}
