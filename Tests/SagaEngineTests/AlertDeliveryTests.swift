import Logging
import SagaCore
import SagaEngine
import Synchronization
import Testing

/// What a round makes of the answers, and what it tells.
@Suite struct AlertDeliveryTests {
    /// Gives out what it is given, and writes down what it is told.
    private actor Outbox: AlertStore {
        private var due: [DueAlert]
        private let failure: StoreError?
        private(set) var notes: [String] = []

        init(_ due: [DueAlert], failure: StoreError? = nil) {
            self.due = due
            self.failure = failure
        }

        func claimAlerts(limit: Int, leaseLength: TimeSpan) throws(StoreError) -> [DueAlert] {
            if let failure { throw failure }
            notes.append("claim \(limit) for \(leaseLength.microseconds / 1_000_000) s")
            defer { due.removeFirst(min(limit, due.count)) }
            return Array(due.prefix(limit))
        }

        func remove(_ alert: DueAlert) { notes.append("remove \(alert.number)") }

        func postpone(_ alert: DueAlert, by delay: TimeSpan) {
            // Half of it is fixed.
            let seconds = Double(delay.microseconds) / 1_000_000
            notes.append(
                "postpone \(alert.number) " + (seconds <= 1 ? "0.5...1 s" : seconds < 150 ? "?" : "150...300 s"))
            #expect(seconds <= 300)
        }

        func dropAlerts(olderThan age: TimeSpan) throws(StoreError) -> DroppedAlerts {
            if let failure { throw failure }
            notes.append("drop \(age.microseconds / 3_600_000_000) h")
            return DroppedAlerts(count: due.count, attempted: due.count { $0.attempt > 0 })
        }
    }

    private struct Receiver: AlertSender {
        let answer: @Sendable ([UInt8]) async -> AlertAnswer

        func send(_ event: [UInt8]) async -> AlertAnswer { await answer(event) }
    }

    /// Log lines as `level message key=value …`.
    private struct Lines: LogHandler {
        let lines: Lined
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let fields = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
            lines.append("\(event.level) \(event.message)\(fields.joined())")
        }
    }

    private final class Lined: Sendable {
        private let all = Mutex<[String]>([])
        var sorted: [String] { all.withLock { $0.sorted() } }
        func append(_ line: String) { all.withLock { $0.append(line) } }
        var logger: Logger { Logger(label: "test", factory: { _ in Lines(lines: self) }) }
    }

    private func alert(_ number: Int64, attempt: Int = 1) -> DueAlert {
        DueAlert(
            number: number, attempt: attempt, event: Array(#"{"id":"i/\#(number)","type":"saga.SagaStuck"}"#.utf8))
    }

    @Test func eachAnswerHasItsConsequence() async {
        let outbox = Outbox([alert(1), alert(2), alert(3, attempt: 2), alert(4, attempt: 20), alert(5)])
        let lines = Lined()
        let receiver = Receiver { event in
            switch String(decoding: event, as: UTF8.self).dropFirst(9).first {
            case "1": .taken
            case "2": .gone
            default: .failed("answered 500")
            }
        }
        let delivery = AlertDelivery(store: outbox, sender: receiver, clock: ContinuousClock(), logger: lines.logger)
        #expect(await delivery.runOnce() == AlertDelivery.Round(delivered: 1, failed: 3))
        let notes = await outbox.notes
        #expect(notes.first == "claim 4 for 30 s")
        #expect(notes.dropFirst().sorted() == ["postpone 3 ?", "postpone 4 150...300 s", "remove 1", "remove 2"])
        // The second failure of an alert isn't told, the first and every tenth is.
        #expect(
            lines.sorted == [
                "error an alert is dropped: its receiver is gone for good id=i/2 type=saga.SagaStuck",
                "warning an alert wasn't taken; it is posted again attempt=20 id=i/4 reason=answered 500 "
                    + "type=saga.SagaStuck",
            ])
        #expect(await delivery.runOnce() == AlertDelivery.Round(failed: 1))
        #expect(await outbox.notes.suffix(2) == ["claim 4 for 30 s", "postpone 5 0.5...1 s"])
        #expect(lines.sorted.count == 3)
    }

    /// The four posts of a round are under way together: each waits for all.
    @Test func fourAreUnderWayAtOnce() async {
        let arrived = Mutex<[CheckedContinuation<Void, Never>]>([])
        let receiver = Receiver { _ in
            await withCheckedContinuation { continuation in
                let all = arrived.withLock { waiting in
                    waiting.append(continuation)
                    return waiting.count == 4 ? waiting : []
                }
                for one in all { one.resume() }
            }
            return .taken
        }
        let outbox = Outbox((1...4).map { alert($0) })
        let delivery = AlertDelivery(
            store: outbox, sender: receiver, clock: ContinuousClock(), logger: Lined().logger)
        #expect(await delivery.runOnce() == AlertDelivery.Round(delivered: 4))
    }

    /// What was in flight when it was told to stop is neither noted nor told: its lease ends, and another posts it.
    @Test func stoppingLeavesWhatIsInFlight() async {
        let outbox = Outbox([alert(1)])
        let lines = Lined()
        let (began, beginning) = AsyncStream.makeStream(of: Void.self)
        let receiver = Receiver { _ in
            beginning.yield()
            // Ends when its task is cancelled.
            for await _ in AsyncStream<Void>(unfolding: { try? await Task.sleep(for: .seconds(3_600)) }) {}
            return .failed("the daemon is stopping")
        }
        let delivery = AlertDelivery(store: outbox, sender: receiver, clock: ContinuousClock(), logger: lines.logger)
        let running = Task { await delivery.run() }
        for await _ in began { break }
        running.cancel()
        await running.value
        #expect(await outbox.notes == ["claim 4 for 30 s"])
        #expect(lines.sorted == [])
    }

    @Test func anAbsentDatabaseIsNoEnd() async {
        let outbox = Outbox([], failure: .unavailable("no connection"))
        let receiver = Receiver { _ in .taken }
        let delivery = AlertDelivery(
            store: outbox, sender: receiver, clock: ContinuousClock(), logger: Lined().logger)
        #expect(await delivery.runOnce() == AlertDelivery.Round(storeFailure: .unavailable("no connection")))
    }

    @Test(arguments: [
        ([], [String]()),
        ([0, 0], ["info alerts were dropped undelivered after 7 days alerts=2 attempted=0"]),
        ([0, 3], ["error alerts were dropped undelivered after 7 days alerts=2 attempted=1"]),
    ])
    func whatWasAskedForAndIsGivenUpIsAnError(_ attempts: [Int], _ expected: [String]) async {
        let outbox = Outbox(attempts.map { alert(1, attempt: $0) })
        let lines = Lined()
        await AlertExpiry(store: outbox, clock: ContinuousClock(), logger: lines.logger).runOnce()
        #expect(await outbox.notes == ["drop 168 h"])
        #expect(lines.sorted == expected)
    }
}
