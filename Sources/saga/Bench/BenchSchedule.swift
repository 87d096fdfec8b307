import PostgresClient
import SagaCore
import SagaPostgres
import Synchronization

/// When starts are due in an open loop: the start number `i` at `i / rate` seconds, whatever became of those before.
final class BenchSchedule: Sendable {
    private let total: Int
    private let interval: Double
    /// The moment of start 0 by this process' clock.
    private let begin: ContinuousClock.Instant
    /// The same moment by the database's clock.
    private let databaseBegin: Instant
    private let next = Mutex(0)

    /// How many starts that are already due go into one round trip.
    private static let mostTogether = 32
    /// The time that the workers have to get ready.
    private static let leadMilliseconds: Int64 = 50

    /// Compares the two clocks and sets start 0 to the near future.
    ///
    /// - Parameter rate: starts a second, above 0.
    /// - Throws: `PostgresError`.
    init(rate: Double, total: Int, database: BenchDatabase) async throws {
        self.total = total
        interval = 1_000_000 / rate
        var best: (trip: Duration, middle: ContinuousClock.Instant, at: Instant)?
        for _ in 0..<8 {
            let sent = ContinuousClock.now
            let at = try await database.counters().at
            let trip = ContinuousClock.now - sent
            if best.map({ trip < $0.trip }) ?? true { best = (trip, sent + trip / 2, at) }
        }
        let compared = best ?? (.zero, .now, Instant(microseconds: 0))
        begin = ContinuousClock.now + .milliseconds(Self.leadMilliseconds)
        databaseBegin = Instant(
            microseconds: compared.at.microseconds + Self.microseconds(begin - compared.middle)
        )
    }

    /// The starts to make next: one that may lie ahead, with those that are due as well by now.
    ///
    /// - Returns: nil when all have been given out.
    func take() -> (numbers: Range<Int>, due: ContinuousClock.Instant)? {
        let elapsed = Self.microseconds(ContinuousClock.now - begin)
        return next.withLock { next in
            guard next < total else { return nil }
            var end = next + 1
            while end < total, end - next < Self.mostTogether, offset(of: end) <= elapsed { end += 1 }
            defer { next = end }
            return (next..<end, begin + .microseconds(offset(of: next)))
        }
    }

    /// When the start was due, by the database's clock.
    func due(_ number: Int) -> Instant { Instant(microseconds: databaseBegin.microseconds + offset(of: number)) }

    private func offset(of number: Int) -> Int64 { Int64(clamping: Int((Double(number) * interval).rounded())) }

    private static func microseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    }
}
