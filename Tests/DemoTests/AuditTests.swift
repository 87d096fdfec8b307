import SagaCore
import Testing

@testable import saga

/// The books of orders that ended, one change at a time.
@Suite struct AuditTests {
    private static let fine = DemoOrder.make(3)[0]
    private static let lost = DemoOrder.make(3)[2]
    private static let ends = [
        DemoEnd(order: fine, status: .completed, failure: nil),
        DemoEnd(order: lost, status: .compensated, failure: "charge_payment: Saga.ConnectionLost"),
    ]
    /// Books that agree with the ends.
    private static let books = [
        DemoBooks(
            service: .inventory,
            entries: [held(fine, amount: fine.units), undone(lost, amount: 0)],
            reservedStock: fine.units
        ),
        DemoBooks(service: .payment, entries: [held(fine, amount: fine.cents), undone(lost, amount: 0)]),
        DemoBooks(service: .shipping, entries: [held(fine)]),
        DemoBooks(service: .notification, entries: [held(fine)]),
    ]

    private static func held(_ order: DemoOrder, amount: Int? = nil) -> DemoBooks.Entry {
        DemoBooks.Entry(order: order.id, held: 1, undone: 0, amount: amount)
    }

    private static func undone(_ order: DemoOrder, amount: Int? = nil) -> DemoBooks.Entry {
        DemoBooks.Entry(order: order.id, held: 0, undone: 1, amount: amount)
    }

    /// What disagrees when one service's books are other ones.
    private func disagreements(_ service: DemoService, _ entries: [DemoBooks.Entry], stock: Int? = nil) -> [String] {
        let books = Self.books.map { book in
            book.service == service ? DemoBooks(service: service, entries: entries, reservedStock: stock) : book
        }
        return DemoAudit(ends: Self.ends, books: books).disagreements
    }

    private func disagreements(ends: [DemoEnd]) -> [String] {
        DemoAudit(ends: ends, books: Self.books).disagreements
    }

    @Test func booksThatAgree() {
        #expect(DemoAudit(ends: Self.ends, books: Self.books).disagreements == [])
        #expect(
            DemoAudit(ends: [], books: DemoService.allCases.map { DemoBooks(service: $0, entries: []) }).disagreements
                == []
        )
    }

    @Test func completedOrderWithoutAnEffect() {
        #expect(disagreements(.shipping, []) == ["order-01 is completed, but shipping holds 0 shipments for it"])
        #expect(
            disagreements(.notification, [Self.undone(Self.fine)])
                == ["order-01 is completed, but notification holds 0 confirmations for it"]
        )
    }

    @Test func completedOrderWithAnEffectTwice() {
        let twice = DemoBooks.Entry(order: Self.fine.id, held: 2, undone: 0, amount: 2 * Self.fine.cents)
        #expect(
            disagreements(.payment, [twice, Self.undone(Self.lost, amount: 0)])
                == ["order-01 is completed, but payment holds 2 charges for it"]
        )
        #expect(
            disagreements(.shipping, [Self.held(Self.fine), Self.held(Self.fine)])
                == ["order-01 is completed, but shipping holds 2 shipments for it"]
        )
    }

    @Test func compensatedOrderWithAnEffectLeft() {
        #expect(
            disagreements(.payment, [Self.held(Self.fine, amount: Self.fine.cents), Self.held(Self.lost, amount: 1)])
                == ["order-03 is compensated, but payment holds 1 charges for it"]
        )
    }

    @Test func amountsThatDiffer() {
        #expect(
            disagreements(.payment, [Self.held(Self.fine, amount: Self.fine.cents + 1)])
                == ["order-01 is for \(Self.fine.cents) cents, but payment holds \(Self.fine.cents + 1) for it"]
        )
        #expect(
            disagreements(.inventory, [Self.held(Self.fine, amount: 9)], stock: 9)
                == ["order-01 is for \(Self.fine.units) units, but inventory holds 9 for it"]
        )
    }

    @Test func stockThatDiffersFromTheReservations() {
        #expect(
            disagreements(.inventory, [Self.held(Self.fine, amount: Self.fine.units)], stock: 8)
                == ["8 units of stock are reserved, but the orders' reservations are of \(Self.fine.units)"]
        )
    }

    @Test func orderThatNobodyMade() {
        let stray = DemoBooks.Entry(order: "order-99", held: 0, undone: 1, amount: nil)
        #expect(
            disagreements(.shipping, [Self.held(Self.fine), stray])
                == ["shipping knows order-99, which was never ordered"]
        )
    }

    @Test func booksThatAreMissing() {
        #expect(
            DemoAudit(ends: Self.ends, books: Array(Self.books.dropLast())).disagreements
                == ["the books of notification are missing"]
        )
    }

    @Test(arguments: [SagaStatus.pending, .running, .compensating, .stuck])
    func orderThatHasNotEnded(_ status: SagaStatus) {
        #expect(
            disagreements(ends: [Self.ends[0], DemoEnd(order: Self.lost, status: status, failure: nil)])
                == ["order-03 hasn't ended: it is \(status.name)"]
        )
    }

    @Test func orderThatEndedOtherwiseThanItWasMadeTo() {
        #expect(
            disagreements(ends: [Self.ends[0], DemoEnd(order: Self.lost, status: .terminated, failure: nil)])
                == ["order-03 (the charge's answers are lost) is terminated, not compensated"]
        )
        #expect(
            disagreements(ends: [DemoEnd(order: Self.fine, status: .compensated, failure: nil), Self.ends[1]]) == [
                "order-01 (nothing) is compensated, not completed",
                "order-01 is compensated, but inventory holds 1 reservations for it",
                "order-01 is compensated, but payment holds 1 charges for it",
                "order-01 is compensated, but shipping holds 1 shipments for it",
                "order-01 is compensated, but notification holds 1 confirmations for it",
            ]
        )
    }
}

@Suite struct BooksTests {
    private func books(_ service: DemoService, _ text: String) throws -> DemoBooks {
        try DemoBooks(service: service, json: Array(text.utf8))
    }

    @Test func booksAreRead() throws {
        #expect(
            try books(
                .inventory,
                """
                {"service": "inventory", "stock": [{"sku": "a", "onHand": 9, "reserved": 2}, {"sku": "b", "reserved": 3}],
                 "orders": [{"orderId": "order-1", "held": 1, "undone": 0, "units": 5}], "totals": {"held": 1}}
                """
            )
                == DemoBooks(
                    service: .inventory,
                    entries: [.init(order: "order-1", held: 1, undone: 0, amount: 5)],
                    reservedStock: 5
                )
        )
        #expect(
            try books(.payment, #"{"orders": [{"orderId": "x", "held": 0, "undone": 2, "heldCents": 70}]}"#)
                == DemoBooks(service: .payment, entries: [.init(order: "x", held: 0, undone: 2, amount: 70)])
        )
        #expect(try books(.shipping, #"{"orders": []}"#) == DemoBooks(service: .shipping, entries: []))
    }

    @Test(arguments: ["", "[]", "{}", #"{"orders": 1}"#])
    func whatIsNoBook(_ text: String) {
        #expect(throws: CommandFailure("shipping answered for its books what isn't one")) {
            try books(.shipping, text)
        }
    }

    @Test(arguments: [
        #"{"orders": [{}]}"#, #"{"orders": [{"orderId": 1, "held": 1, "undone": 0}]}"#,
        #"{"orders": [{"orderId": "a", "held": -1, "undone": 0}]}"#,
        #"{"orders": [{"orderId": "a", "held": 9223372036854775807, "undone": 0}]}"#,
        #"{"orders": [{"orderId": "a", "held": 1}]}"#,
    ])
    func entryThatCannotBeRead(_ text: String) {
        #expect(throws: CommandFailure("shipping has an entry in its books that can't be read")) {
            try books(.shipping, text)
        }
    }
}
