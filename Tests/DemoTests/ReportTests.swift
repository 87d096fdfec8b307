import SagaCore
import Testing

@testable import saga

@Suite struct ReportTests {
    private static let orders = DemoOrder.make(3)
    private static let ends = [
        DemoEnd(order: orders[0], status: .completed, failure: nil),
        DemoEnd(order: orders[1], status: .completed, failure: nil),
        DemoEnd(order: orders[2], status: .compensated, failure: "charge_payment: Saga.ConnectionLost"),
    ]
    private static let events = [
        event(1, .sagaStarted, after: 0, #"{"input":{}}"#),
        event(2, .stepStarted, after: 5, #"{"step":"charge_payment","attempt":1}"#),
        event(
            3,
            .stepAttemptFailed,
            after: 255,
            #"{"step":"charge_payment","attempt":1,"outcome":"unknown","error":"Saga.ConnectionLost","message":"m","nextAttemptAt":"1970-01-01T00:00:00.375Z"}"#
        ),
        event(
            4,
            .compensationSucceeded,
            after: 1_300,
            #"{"step":"charge_payment","attempt":1,"outcome":"done","output":{"chargeId":"c-1","undone":true}}"#
        ),
        event(5, .sagaCompensated, after: 1_301, nil),
    ]

    private static func event(_ sequence: Int, _ type: EventType, after milliseconds: Int64, _ data: String?)
        -> StoredEvent
    {
        StoredEvent(
            sequence: sequence,
            cause: nil,
            type: type.rawValue,
            at: Instant(microseconds: milliseconds * 1_000),
            data: data.map { Array($0.utf8) }
        )
    }

    private static func report(shipments: Int) -> DemoReport {
        let held = orders[...1].map { ($0.id, $0) }
        func entries(_ amount: (DemoOrder) -> Int?) -> [DemoBooks.Entry] {
            held.map { DemoBooks.Entry(order: $0.0, held: 1, undone: 0, amount: amount($0.1)) }
        }
        let undone = DemoBooks.Entry(order: orders[2].id, held: 0, undone: 1, amount: 0)
        return DemoReport(
            ends: ends,
            books: [
                DemoBooks(service: .inventory, entries: entries { $0.units } + [undone], reservedStock: 4),
                DemoBooks(service: .payment, entries: entries { $0.cents } + [undone]),
                DemoBooks(service: .shipping, entries: Array(entries { _ in nil }.prefix(shipments))),
                DemoBooks(service: .notification, entries: entries { _ in nil }),
            ],
            example: (ends[2], events),
            terminal: .plain
        )
    }

    private static let tables = [
        "",
        "What became of them",
        "  IN STORE                       ORDERS  COMPLETED  COMPENSATED  FAILED ON",
        "  nothing                             2          2",
        "  the charge's answers are lost       1                       1  charge_payment: Saga.ConnectionLost",
        "",
        "One of them, order-03: the charge's answers are lost",
        "  AFTER  EVENT                  STEP            TRY",
        "    0ms  SagaStarted",
        "    5ms  StepStarted            charge_payment    1",
        "  255ms  StepAttemptFailed      charge_payment    1  unknown, Saga.ConnectionLost, again in 120ms",
        "  1.30s  CompensationSucceeded  charge_payment    1  c-1",
        "  1.30s  SagaCompensated",
        "",
        "What the services' books hold",
        "  SERVICE       HELD  UNDONE",
        "  inventory        2       1  reservations, of 4 units of stock",
        "  payment          2       1  charges, of 232.80 EUR",
    ]

    @Test func reportOfBooksThatAgree() {
        let report = Self.report(shipments: 2)
        #expect(
            report.lines == Self.tables + [
                "  shipping         2       0  shipments",
                "  notification     2       0  confirmations",
                "  They agree with the ends: each completed order has one of each held, all others have none.",
            ]
        )
        #expect(
            report.conclusion == [
                "2 orders went through all four services, and 1 failed on the way and was undone in reverse order, 1",
                "of them without anybody knowing whether the card had been charged.",
                "Every step was committed to PostgreSQL before it was acted on, and the services hold just what the",
                "completed orders asked for.",
            ]
        )
        #expect((report.lines + report.conclusion).allSatisfy { $0.displayWidth <= 100 })
    }

    @Test func reportOfBooksThatDisagree() {
        #expect(
            Self.report(shipments: 1).lines == Self.tables + [
                "  shipping         1       0  shipments",
                "  notification     2       0  confirmations",
                "  disagrees: order-02 is completed, but shipping holds 0 shipments for it",
            ]
        )
    }

    @Test func progressElsewhereIsALineForEachQuarter() {
        var progress = DemoProgress(total: 8, terminal: .plain)
        func text(_ completed: Int, _ stuck: Int = 0) -> String? {
            progress.text(
                Array(repeating: .completed, count: completed) + Array(repeating: .stuck, count: stuck)
                    + Array(repeating: .running, count: 8 - completed - stuck)
            )
        }
        #expect(
            [text(0), text(1), text(3), text(3), text(4), text(7, 1), text(7, 1)] == [
                nil, nil, "  3 of 8 ended: 3 completed\n", nil, "  4 of 8 ended: 4 completed\n",
                "  8 of 8 ended: 1 stuck, 7 completed\n", nil,
            ]
        )
        #expect(progress.end == "")
    }

    @Test func progressOnATerminalIsDrawnInPlace() {
        let terminal = Terminal(isTerminal: true, hasColour: false, width: 55, height: 24)
        var progress = DemoProgress(total: 2, terminal: terminal)
        let (full, empty) = (String(repeating: "█", count: 15), String(repeating: "░", count: 15))
        #expect(
            progress.text([.completed, .running])
                == "\r\u{1B}[K\(full)\(empty)  1/2  1 running, 1 com…"
        )
        #expect(progress.text([.completed, .running]) == nil)
        #expect(progress.text([.completed, .completed]) == "\r\u{1B}[K\(full)\(full)  2/2  2 completed")
        #expect(progress.end == "\n")
    }

    @Test func suggestionsFitAndAreQuoted() {
        let short = DemoSuggestions(
            program: "saga",
            database: "postgresql:///s?host=a&user=b",
            example: "order-03",
            input: "/d/i.json"
        )
        #expect(
            short.lines == [
                "  saga status --database 'postgresql:///s?host=a&user=b'",
                "  saga events order-03 --database 'postgresql:///s?host=a&user=b'",
                "  saga start order --input @/d/i.json --wait --database 'postgresql:///s?host=a&user=b'",
            ]
        )
        let long = DemoSuggestions(
            program: "/it's here/saga",
            database: "postgresql:///" + String(repeating: "x", count: 60),
            example: "o",
            input: "/d/i.json"
        )
        #expect(
            long.lines == [
                #"  '/it'\''s here/saga' status \"#, "      --database \(long.database)",
                #"  '/it'\''s here/saga' events o \"#, "      --database \(long.database)",
                #"  '/it'\''s here/saga' start order --input @/d/i.json --wait \"#, "      --database \(long.database)",
            ]
        )
    }
}
