import SagaCore
import Testing

@testable import SagaEngine

/// The database's clock as a daemon follows it; times in microseconds.
@Suite struct DatabaseClockTests {
    /// The monotonic clock's zero, in the database's time.
    private let offset: Int64 = 5_000_000

    private func reading(at monotonic: Int64) -> Instant { Instant(microseconds: offset + monotonic) }

    @Test func aReadingThatWasLongOnItsWayDoesNotPutItAhead() {
        var clock = DatabaseClock()
        // The connection took two seconds; the answer came at once.
        clock.synchronise(reading: reading(at: 2_000_000), sent: 0, received: 2_001_000)
        #expect(clock.time(at: 2_001_000) == reading(at: 2_000_000))
        #expect(clock.monotonic(of: reading(at: 3_000_000)) == 3_001_000)
    }

    @Test func anAnswerThatWasLongOnItsWayHoldsItBackOnlyUntilAQuickOneComes() {
        var clock = DatabaseClock()
        clock.synchronise(reading: reading(at: 0), sent: 0, received: 2_000_000)
        #expect(clock.time(at: 2_000_000) == reading(at: 0))
        clock.synchronise(reading: reading(at: 3_000_000), sent: 3_000_000, received: 3_000_100)
        #expect(clock.time(at: 3_000_100) == reading(at: 3_000_000))
    }

    @Test(arguments: [(900_000 as Int64, 2_000_000 as Int64), (1_999_000, 2_000_000), (1_000_000, 1_000_000)])
    func aReadingThatBearsItOutChangesNothing(read: Int64, received: Int64) {
        var clock = DatabaseClock()
        clock.synchronise(reading: reading(at: 0), sent: 0, received: 0)
        clock.synchronise(reading: reading(at: read), sent: 800_000, received: received)
        #expect(clock.time(at: 2_500_000) == reading(at: 2_500_000))
    }

    @Test func aReadingAcrossAStandstillChangesNothing() {
        var clock = DatabaseClock()
        clock.synchronise(reading: reading(at: 100), sent: 0, received: 200)
        // The database answered at once, and the daemon stood still for 5 s before it read that.
        clock.synchronise(reading: reading(at: 1_000_100), sent: 1_000_000, received: 6_000_000)
        #expect(clock.time(at: 6_000_000) == reading(at: 5_999_900))
    }

    @Test func itFollowsADatabasesClockThatWasPutForward() {
        var clock = DatabaseClock()
        clock.synchronise(reading: reading(at: 0), sent: 0, received: 0)
        clock.synchronise(reading: reading(at: 60_000_000), sent: 1_000, received: 2_000)
        #expect(clock.time(at: 2_000) == reading(at: 60_000_000))
    }

    @Test func aDatabasesClockThatWasPutBackHoldsItUntilTimeHasCaughtUp() {
        var clock = DatabaseClock()
        clock.synchronise(reading: reading(at: 60_000_000), sent: 0, received: 0)
        #expect(clock.time(at: 0) == reading(at: 60_000_000))
        clock.synchronise(reading: reading(at: 0), sent: 1_000, received: 1_000)
        #expect(clock.time(at: 30_000_000) == reading(at: 60_000_000))
        #expect(clock.time(at: 60_001_000) == reading(at: 60_000_000))
        #expect(clock.time(at: 60_002_000) == reading(at: 60_001_000))
    }
}
