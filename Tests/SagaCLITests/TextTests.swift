import JSON
import SagaCore
import SagaEngine
import Testing

@testable import saga

@Suite struct TextTests {
    @Test func tableAlignsAndLeavesEmptyColumnsOut() {
        var table = Table([.init("NAME"), .init("EMPTY"), .init("COUNT", isNumeric: true), .init("NOTE")])
        table.add([.init("a"), .init(""), .init("1"), .init("")])
        table.add([.init("long"), .init(""), .init("1000000"), .init("x")])
        #expect(table.lines(for: .plain) == ["NAME    COUNT  NOTE", "a           1", "long  1000000  x"])
    }

    @Test func tableIsCutToItsWidthWhereItMayBe() {
        var table = Table([.init("ID"), .init("ERROR", minimum: 5), .init("KEY", minimum: 10)])
        table.add([
            .init("0123456789"), .init(String(repeating: "e", count: 80)), .init(String(repeating: "k", count: 40)),
        ])
        let lines = table.lines(for: .plain)
        #expect(
            lines == [
                "ID          " + "ERROR".padded(to: 46) + "  KEY",
                "0123456789  " + String(repeating: "e", count: 45) + "…  " + String(repeating: "k", count: 40),
            ]
        )
        #expect(lines.map(\.displayWidth).max() == 100)
    }

    @Test func colourOnlyWhereItMayBe() {
        var table = Table([.init("A")])
        table.add([.init("x", .red)])
        let colourful = Terminal(isTerminal: true, hasColour: true, width: 80, height: 24)
        #expect(table.lines(for: colourful) == ["\u{1B}[2mA\u{1B}[0m", "\u{1B}[31mx\u{1B}[0m"])
        #expect(table.lines(for: .plain) == ["A", "x"])
    }

    @Test(arguments: [
        ("plain", "plain"), ("a\nb\tc", "a b c"), ("\u{1B}[31mred", "\u{FFFD}[31mred"),
        ("\u{202E}evil", "\u{FFFD}evil"),
        ("ümläut 日本", "ümläut 日本"), ("\u{9B}2J", "\u{FFFD}2J"),
    ])
    func nothingSteersTheTerminal(_ text: String, _ expected: String) {
        #expect(text.sanitized == expected)
    }

    @Test func widthsAreTheTerminals() {
        #expect("日本".displayWidth == 4)
        #expect("日本語".truncated(to: 5) == "日本…")
        #expect("abc".truncated(to: 3) == "abc")
        #expect("abcd".truncated(to: 3) == "ab…")
        #expect("abcd".truncated(to: 0) == "")
    }

    @Test(arguments: [
        (0, "0ms"), (85_400, "85ms"), (999_999, "999ms"), (1_000_000, "1s"), (1_250_000, "1.25s"), (9_050_000, "9.05s"),
        (59_999_999, "59s"), (125_000_000, "2m 5s"), (3_600_000_000, "1h"), (90_061_000_000, "1d 1h"),
        (-125_000_000, "2m 5s"), (Int64.max, "106751991d 4h"), (Int64.min, "106751991d 4h"),
    ])
    func spans(_ microseconds: Int64, _ expected: String) {
        #expect(TimeSpan(microseconds: microseconds).short == expected)
    }

    @Test func timesAreToldFromNow() {
        #expect(Fixtures.at(0).relative(to: Fixtures.at(90)) == "1m 30s ago")
        #expect(Fixtures.at(90).relative(to: Fixtures.at(0)) == "in 1m 30s")
        #expect(Fixtures.at(0).relative(to: Fixtures.at(0)) == "now")
        #expect(Fixtures.at(3_723).compact == "01-01 01:02:03.000")
    }

    @Test func eventLines() {
        let text = EventText(stepNames: ["reserve", "charge"], terminal: .plain)
        func line(_ sequence: Int, _ type: EventType, _ data: String?) -> String {
            text.line(
                StoredEvent(
                    sequence: sequence,
                    cause: nil,
                    type: type.rawValue,
                    at: Fixtures.at(sequence),
                    data: data.map { Array($0.utf8) }
                )
            )
        }
        #expect(
            [
                line(1, .sagaStarted, #"{"input":{}}"#),
                line(2, .stepStarted, #"{"step":"charge","attempt":1}"#),
                line(
                    3,
                    .stepAttemptFailed,
                    #"{"step":"charge","attempt":1,"outcome":"unknown","error":"Saga.Timeout","message":"m","nextAttemptAt":"2026-01-01T00:00:05.500Z"}"#
                ),
                line(4, .sagaCancelRequested, #"{"actor":"ann@desk","reason":"no\nlonger"}"#),
                line(
                    5,
                    .stepResolved,
                    #"{"step":"charge","operation":"action","resolution":"done","actor":"ann@desk","reason":"r"}"#
                ),
                line(6, .sagaCompensated, nil),
                line(7, .stepFailed, "not JSON"),
            ] == [
                "   1  01-01 00:00:01.000  SagaStarted",
                "   2  01-01 00:00:02.000  StepStarted                charge   #1",
                "   3  01-01 00:00:03.000  StepAttemptFailed          charge   #1   unknown, Saga.Timeout, next in 2.50s, m",
                "   4  01-01 00:00:04.000  SagaCancelRequested                      by ann@desk, no longer",
                "   5  01-01 00:00:05.000  StepResolved               charge        action done, by ann@desk, r",
                "   6  01-01 00:00:06.000  SagaCompensated",
                "   7  01-01 00:00:07.000  StepFailed",
            ]
        )
    }

    @Test func aLineIsCutOnATerminalOnly() {
        let event = StoredEvent(
            sequence: 1, cause: nil, type: EventType.sagaCancelRequested.rawValue, at: Fixtures.at(1),
            data: Array(#"{"actor":"ann@desk","reason":"changed her mind"}"#.utf8))
        let narrow = Terminal(isTerminal: true, hasColour: false, width: 90, height: 24)
        let start = "   1  01-01 00:00:01.000  SagaCancelRequested" + String(repeating: " ", count: 22)
        let cut = EventText(stepNames: ["reserve"], terminal: narrow).line(event)
        #expect(cut == start + "by ann@desk, changed h…")
        let whole = EventText(stepNames: ["reserve"], terminal: .plain).line(event)
        #expect(whole == start + "by ann@desk, changed her mind")
    }

    @Test func aDeferredStepPastItsTimeWaitsForItsService() throws {
        let definition = try Fixtures.definition(Fixtures.order)
        let step = OperationReference(step: 0, side: .action)
        let state = try Fixtures.state(
            definition,
            [.deferred(step, until: Fixtures.at(60), reason: "open")])
        func lines(at seconds: Int) -> [String] {
            StatusText(
                document: StatusDocument(state, definition: definition), now: Fixtures.at(seconds), terminal: .plain
            )
            .lines.filter { $0.contains("deferred until") }
        }
        let name = definition.steps[0].name
        #expect(lines(at: 30) == ["\(name) is deferred until 2026-01-01T00:01:00.000Z (in 30s)"])
        #expect(lines(at: 61) == ["\(name) is deferred until its service takes its call: saga breaker list"])
    }

    @Test func stuckSagaShowsTheWaysOut() throws {
        let definition = try Fixtures.definition(Fixtures.order)
        let state = try Fixtures.state(
            definition,
            key: "order-42",
            [
                .started(action(0), attempt: 1),
                .succeeded(action(0), attempt: 1, output: .null),
                .failed(action(1), failure(1, .failed, "CardDeclined")),
                .sagaCompensating(SagaFailure(step: 1, error: "CardDeclined", message: "no")),
                .started(undo(0), attempt: 1),
                .failed(undo(0), failure(1, .failed, "Refused", "closed")),
                .sagaStuck(SagaFailure(step: 0, error: "Refused", message: "closed")),
            ]
        )
        var document = StatusDocument(state, definition: definition)
        document.stuck = StuckReport(
            state, definition: definition, outcomes: [undo(0): .failed], now: Fixtures.at(60))
        #expect(
            StatusText(document: document, now: Fixtures.at(60), terminal: .plain).lines.joined(separator: "\n")
                == """
                order 01900000-0000-7000-8000-000000000001  stuck
                  key      order-42
                  version  \(definition.digest.version)
                  started  2026-01-01T00:00:00.000Z (1m ago)
                  input    {}
                  failure  reserve: Refused: closed

                STEP     STATUS               OUTCOME  ATTEMPTS  ERROR         COMPENSATION  ATTEMPTS  ERROR
                reserve  compensation_failed  done            1                failed               1  Refused
                charge   failed               failed             CardDeclined
                ship     pending

                compensation of reserve: Refused: closed
                charge: CardDeclined: no

                done      reserve
                to undo   reserve

                Last request of the compensation of reserve:
                  POST http://127.0.0.1:9/release
                  Idempotency-Key: "01900000-0000-7000-8000-000000000001:reserve:compensation"
                  Saga-Compensates: "01900000-0000-7000-8000-000000000001:reserve:action"
                Last answer:
                  failed: Refused: closed

                This saga needs a person: it is stuck on reserve.
                  # try again what failed -> goes on undoing: calls the compensation of reserve (attempt 2)
                  saga retry 01900000-0000-7000-8000-000000000001
                  # the same with data mended by a merge patch -> goes on undoing: calls the compensation of reserve (attempt 2)
                  saga retry 01900000-0000-7000-8000-000000000001 --input-patch FILE
                  # its effect stands: undo it again -> goes on undoing: calls the compensation of reserve (attempt 2)
                  saga resolve 01900000-0000-7000-8000-000000000001 reserve --done --reason TEXT
                  # its effect is gone, undone by hand -> ends compensated
                  saga resolve 01900000-0000-7000-8000-000000000001 reserve --undone --reason TEXT
                  # end it as it stands -> ends terminated; stays done: reserve
                  saga terminate 01900000-0000-7000-8000-000000000001 --reason TEXT
                """
        )
    }

    @Test func progressIsOneLine() throws {
        let definition = try Fixtures.definition(Fixtures.order)
        var events: [Event] = [
            .started(action(0), attempt: 1), .succeeded(action(0), attempt: 1, output: .null),
            .started(action(1), attempt: 1),
            .attemptFailed(action(1), failure(1, .failed, "Busy"), next: Fixtures.at(9)),
        ]
        func line() throws -> String {
            ProgressLine.text(
                StatusDocument(try Fixtures.state(definition, events), definition: definition),
                for: .plain
            )
        }
        #expect(try line() == "██████░░░░░░░░░░░░░░ 1/3 running: charge (waits, 1 failed)")
        events.append(.started(action(1), attempt: 2))
        #expect(try line() == "██████░░░░░░░░░░░░░░ 1/3 running: charge (attempt 2)")
        events += [
            .failed(action(1), failure(2, .failed, "Busy")),
            .sagaCompensating(SagaFailure(step: 1, error: "Busy", message: "")), .started(undo(0), attempt: 1),
        ]
        #expect(try line() == "░░░░░░░░░░░░░░░░░░░░ 0/1 compensating: undoing reserve")
        events += [.succeeded(undo(0), attempt: 1, output: .null), .sagaCompensated]
        #expect(try line() == "████████████████████ 1/1 compensated")
    }

    @Test func overviewPutsAttentionFirst() {
        let overview = Overview(
            sagas: [.running: 12, .stuck: 2],
            attention: [
                .init(saga: "order", step: "charge", error: "Refused", count: 2, oldest: Fixtures.at(0)),
                .init(
                    saga: "transfer", step: nil, error: "Saga.Unreadable", count: 1, oldest: Fixtures.at(30),
                    id: Fixtures.id),
            ],
            oldestDue: .init(id: Fixtures.id, saga: "order", step: nil, dueAt: Fixtures.at(100)),
            daemons: [
                .init(id: 1, host: "box", pid: 7, epoch: 1, leaseUntil: Fixtures.at(70), sagas: 12),
                .init(id: 2, host: "box", pid: 8, epoch: 3, leaseUntil: Fixtures.at(50), sagas: 0),
            ]
        )
        #expect(
            OverviewText(overview: overview, now: Fixtures.at(60), terminal: .plain).lines.joined(separator: "\n")
                == """
                Needs a person (look first: saga list --status stuck)
                  STUCK  SAGA      STEP    ERROR            SINCE
                      2  order     charge  Refused          1m ago
                      saga retry --saga order --status stuck --step charge --error Refused
                      1  transfer          Saga.Unreadable  30s ago
                      saga retry 01900000-0000-7000-8000-000000000001

                SAGAS
                pending        0
                running       12
                compensating   0
                stuck          2
                completed      0
                compensated    0
                terminated     0

                DAEMON  HOST  PID  EPOCH  SAGAS  LEASE
                     1  box     7      1     12  alive
                     2  box     8      3      0  lost 10s ago

                Oldest waiting: order 01900000-0000-7000-8000-000000000001: due in 40s
                """
        )
    }

    /// A participant may name each of its errors anew.
    @Test func overviewShowsTheOldestGroupsAndCountsTheRest() {
        let groups = (1...22).map { number in
            Overview.Attention(
                saga: "order", step: "charge", error: "E\(number)", count: number, oldest: Fixtures.at(number))
        }
        let overview = Overview(sagas: [:], attention: groups, oldestDue: nil, daemons: [])
        let lines = OverviewText(overview: overview, now: Fixtures.at(60), terminal: .plain).lines
        #expect(
            Array(lines[40...43]) == [
                "     20  order  charge  E20    40s ago",
                "      saga retry --saga order --status stuck --step charge --error E20",
                "  … and 2 more such groups with 43 sagas", "",
            ])
    }
}
