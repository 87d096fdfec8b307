import PostgresClient
import SagaCore

/// Which sagas are meant.
public struct SagaFilter: Sendable, Hashable {
    /// The definition's name; nil is any.
    public var saga: String?
    /// Empty is any.
    public var statuses: [SagaStatus]
    /// The step of the failure that is shown; nil is any.
    public var step: String?
    /// The error of the failure that is shown; nil is any.
    public var error: String?
    /// Started no longer ago than this.
    public var since: TimeSpan?
    /// Started at least this long ago.
    public var until: TimeSpan?
    /// Paused or not; nil is either.
    public var isPaused: Bool?
    /// At most so many.
    public var limit: Int

    public init(
        saga: String? = nil, statuses: [SagaStatus] = [], step: String? = nil, error: String? = nil,
        since: TimeSpan? = nil, until: TimeSpan? = nil, isPaused: Bool? = nil, limit: Int = 50
    ) {
        self.saga = saga
        self.statuses = statuses
        self.step = step
        self.error = error
        self.since = since
        self.until = until
        self.isPaused = isPaused
        self.limit = limit
    }

    /// Whether more than a saga's row must be looked at.
    var looksAtFailure: Bool { step != nil || error != nil }

    /// Why a saga that was found by this filter no longer fits it, in words for a person; nil while it does.
    ///
    /// When it was started and of which definition never changes.
    public func mismatch(of document: StatusDocument) -> String? {
        if !statuses.isEmpty, !statuses.contains(document.status) { return "it is \(document.status.name) now" }
        if let isPaused, isPaused != document.isPaused { return isPaused ? "it isn't paused now" : "it is paused now" }
        if let step, step != document.failure?.step { return "its failure isn't at \(step) now" }
        if let error, error != document.failure?.error { return "its failure isn't \(error) now" }
        return nil
    }
}

/// A filter as conditions on `saga.state s`, with their parameters, but for those on the failure, which isn't there.
///
/// Only what is asked for becomes a condition, so that the planner sees what can go by an index: all sagas that haven't
/// ended are in `state_work`, and ids, UUIDs of version 7, stand in the order of the start.
struct SagaConditions {
    private(set) var conditions: [String] = []
    private(set) var parameters: [PostgresValue] = []

    init(_ filter: SagaFilter) {
        if let saga = filter.saga {
            add("s.definition_id = ANY (ARRAY(SELECT d.id FROM saga.definition d WHERE d.saga = $))", .text(saga))
        }
        addStatuses(filter.statuses)
        if let isPaused = filter.isPaused { add("s.paused = $", .bool(isPaused)) }
        if let since = filter.since {
            add("s.started_at >= now() - $ * interval '1 microsecond'", .int8(since.microseconds))
            add("s.id >= \(Self.firstID(millisecondsLater: 0))", .int8(since.microseconds))
        }
        if let until = filter.until {
            add("s.started_at <= now() - $ * interval '1 microsecond'", .int8(until.microseconds))
            add("s.id < \(Self.firstID(millisecondsLater: 1))", .int8(until.microseconds))
        }
    }

    /// The lowest id of a saga started `$` microseconds ago or so much later: its first 48 bits are the milliseconds.
    private static func firstID(millisecondsLater: Int) -> String {
        """
        rpad(lpad(to_hex(greatest(0, floor(extract(epoch FROM now()) * 1000 - $ / 1000.0) + \(millisecondsLater))::bigint),
            12, '0'), 32, '0')::uuid
        """
    }

    /// Adds a condition; its `$` stands for the parameter.
    mutating func add(_ condition: String, _ parameter: PostgresValue) {
        parameters.append(parameter)
        conditions.append(condition.replacing("$", with: "$\(parameters.count)"))
    }

    /// A saga that was set aside, or will be since its row has no status, is shown stuck.
    private mutating func addStatuses(_ statuses: [SagaStatus]) {
        guard !statuses.isEmpty else { return }
        if !statuses.contains(where: \.isEnded) { conditions.append(Self.isLive) }
        let live = "(s.unreadable IS NULL OR s.ended_at IS NOT NULL)"
        let aside = "s.unreadable IS NOT NULL AND s.ended_at IS NULL"
        if statuses.contains(.stuck), !statuses.contains(.running) || !statuses.contains(.compensating) {
            conditions.append(Self.isNotTakenUp)
        }
        add(
            statuses.contains(.stuck)
                ? "(s.status = ANY ($) AND \(live) OR \(aside) OR NOT \(ShownColumns.hasStatus))"
                : "s.status = ANY ($) AND \(live)",
            .int2Array(statuses.map(\.rawValue)))
    }

    /// As the partial index `state_work` has it, word for word.
    static let isLive = "(s.owner IS NOT NULL OR s.due_at IS NOT NULL)"

    /// A person's word or retry takes a saga out of being stuck; its row says so only once a daemon has acted on it,
    /// which the nudge in `due_at` asks for.
    private static let isNotTakenUp = """
        (s.status <> 4 OR s.due_at = 'infinity' OR NOT EXISTS (
            SELECT FROM saga.event a WHERE a.saga_id = s.id AND a.type IN (20, 21) AND a.sequence > (
                SELECT max(k.sequence) FROM saga.event k WHERE k.saga_id = s.id AND k.type = 16)))
        """

    /// The conditions as the text of a WHERE clause.
    var text: String { conditions.isEmpty ? "true" : conditions.joined(separator: " AND ") }
}
