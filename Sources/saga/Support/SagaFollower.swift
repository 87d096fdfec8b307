import PostgresClient
import SagaCore
import SagaEngine
import SagaPostgres

/// Follows one saga by asking the database again and again: often while something happens, less often while nothing
/// does.
struct SagaFollower {
    private(set) var record: SagaRecord
    private let reader: SagaReader
    private var interval = shortest
    private var unreachableSince: ContinuousClock.Instant?

    private static let shortest = Duration.milliseconds(50)
    private static let longest = Duration.milliseconds(500)
    /// A server that restarts doesn't end the following of a saga.
    private static let patience = Duration.seconds(30)

    init(_ record: SagaRecord, reader: SagaReader) {
        self.record = record
        self.reader = reader
    }

    /// Whether nothing can come any more.
    var isEnded: Bool { record.status.isEnded }

    /// Waits a moment and looks.
    ///
    /// - Returns: the events that came; none as well when only the row changed.
    /// - Throws: `PostgresError` when the database stays away, `CommandFailure` when the saga is gone,
    ///   `CancellationError`.
    mutating func poll() async throws -> [StoredEvent] {
        try await Task.sleep(for: interval)
        let refreshed: SagaRecord?
        do throws(PostgresError) {
            refreshed = try await reader.refreshed(record)
        } catch {
            guard error.isConnectionFailure || error.isServerUnavailable else { throw error }
            let now = ContinuousClock.now
            if let since = unreachableSince, now - since > Self.patience { throw error }
            unreachableSince = unreachableSince ?? now
            interval = Self.longest
            return []
        }
        unreachableSince = nil
        guard let refreshed else { throw CommandFailure("the saga is no longer there") }
        let news = refreshed.events[record.events.count...]
        interval = news.isEmpty ? min(interval * 3 / 2, Self.longest) : Self.shortest
        record = refreshed
        return Array(news)
    }
}
