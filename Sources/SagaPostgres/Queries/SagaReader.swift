import PostgresClient
import SagaCore
import SagaEngine

/// Reads sagas for people and programs that look from outside; changes nothing.
///
/// All calls throw `PostgresError`.
public struct SagaReader: Sendable {
    let pool: PostgresPool
    /// How long one call may take.
    let timeout: Duration

    public init(pool: PostgresPool, timeout: Duration = .seconds(30)) {
        self.pool = pool
        self.timeout = timeout
    }
}

extension StoredEvent {
    /// The columns that every statement about events selects, in the order in which `init(row:)` reads them.
    static let columns = "sequence, cause, type, at, data"

    init(row: PostgresRow) throws(PostgresError) {
        self.init(
            sequence: Int(try row.decode(0, as: Int32.self)),
            cause: try row.decode(1, as: Int32?.self).map { Int($0) },
            type: try row.decode(2),
            at: Instant(try row.decode(3, as: PostgresTimestamp.self)),
            data: try row.decode(4, as: [UInt8]?.self)
        )
    }

}

/// The events of one saga as its rows have them.
struct StoredEvents {
    /// Those that can be decoded.
    private(set) var events: [StoredEvent] = []
    /// Why the first of the others can't be.
    private(set) var fault: String?
    /// The highest of all.
    private(set) var lastSequence = 0

    init() {}

    init(_ rows: [PostgresRow]) throws(PostgresError) {
        events.reserveCapacity(rows.count)
        for row in rows { try take(row) }
    }

    /// - Parameter row: the columns of an event before all others.
    mutating func take(_ row: PostgresRow) throws(PostgresError) {
        let sequence = Int(try row.decode(0, as: Int32.self))
        lastSequence = max(lastSequence, sequence)
        do throws(PostgresError) { events.append(try StoredEvent(row: row)) } catch {
            fault = fault ?? "event \(sequence) can't be decoded: \(error.message)"
        }
    }
}

extension SagaStatus {
    /// Reads the code on a saga's row.
    init(code: Int16) throws(PostgresError) {
        guard let status = SagaStatus(rawValue: code) else {
            throw PostgresError(.decoding, "a saga's row has the status \(code), which is none")
        }
        self = status
    }

    /// Why a saga can't be read whose row has a status that is none.
    static func fault(ofCode code: Int16) -> String { "its row has the status \(code), which is none" }
}
