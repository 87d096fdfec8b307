import JSON
import SagaCore

/// What one of the four services holds, by its own account.
struct DemoBooks: Sendable, Hashable {
    /// What it holds for one order.
    struct Entry: Sendable, Hashable {
        let order: String
        /// Effects that stand.
        let held: Int
        /// Effects that were undone.
        let undone: Int
        /// The inventory's units and the payment's cents that stand; nil elsewhere.
        let amount: Int?
    }

    let service: DemoService
    /// In the order of the orders' ids.
    let entries: [Entry]
    /// The units that the inventory's stock says are reserved; nil elsewhere.
    let reservedStock: Int?

    var held: Int { entries.reduce(0) { $0 + $1.held } }
    var undone: Int { entries.reduce(0) { $0 + $1.undone } }
    var amount: Int { entries.reduce(0) { $0 + ($1.amount ?? 0) } }

    init(service: DemoService, entries: [Entry], reservedStock: Int? = nil) {
        self.service = service
        self.entries = entries
        self.reservedStock = reservedStock
    }

    /// Reads what `GET /books` answers.
    ///
    /// - Throws: `CommandFailure` for anything else.
    init(service: DemoService, json bytes: [UInt8]) throws(CommandFailure) {
        guard let json = try? JSON.parse(bytes), let orders = json["orders"]?.arrayValue else {
            throw CommandFailure("\(service.rawValue) answered for its books what isn't one")
        }
        var entries: [Entry] = []
        for order in orders {
            guard let id = order["orderId"]?.stringValue, let held = Self.count(order["held"]),
                let undone = Self.count(order["undone"])
            else { throw CommandFailure("\(service.rawValue) has an entry in its books that can't be read") }
            let amount = service.amountKey.map { Self.count(order[$0]) ?? 0 }
            entries.append(Entry(order: id, held: held, undone: undone, amount: amount))
        }
        let stock = json["stock"]?.arrayValue.map { $0.reduce(0) { $0 + (Self.count($1["reserved"]) ?? 0) } }
        self.init(service: service, entries: entries, reservedStock: stock)
    }

    /// A number that a sum of all orders can't overflow.
    private static func count(_ json: JSON?) -> Int? {
        guard let count = json?.int64Value, (0...1_000_000_000_000).contains(count) else { return nil }
        return Int(count)
    }
}

/// The four participants of the order saga.
enum DemoService: String, CaseIterable, Sendable {
    case inventory, payment, shipping, notification

    /// One effect of the service.
    var effect: String {
        switch self {
        case .inventory: "reservation"
        case .payment: "charge"
        case .shipping: "shipment"
        case .notification: "confirmation"
        }
    }

    /// The variable by which the order saga finds the service.
    var variable: String { "\(rawValue.uppercased())_URL" }

    fileprivate var amountKey: String? {
        switch self {
        case .inventory: "units"
        case .payment: "heldCents"
        case .shipping, .notification: nil
        }
    }
}

/// An order and how its saga stands.
struct DemoEnd: Sendable, Hashable {
    let order: DemoOrder
    let status: SagaStatus
    /// What it failed on, such as `charge_payment: CardDeclined`.
    let failure: String?
}

/// Holds the services' books against the orders' ends.
struct DemoAudit {
    let ends: [DemoEnd]
    let books: [DemoBooks]

    /// What doesn't agree, one line each; empty when everything does.
    ///
    /// An order that completed has one effect held by every service, and just what it ordered; any other end has none
    /// held anywhere. An order that didn't end as its data was to make it is told as well.
    var disagreements: [String] {
        var lines: [String] = []
        for service in DemoService.allCases where !books.contains(where: { $0.service == service }) {
            lines.append("the books of \(service.rawValue) are missing")
        }
        for end in ends { lines += disagreements(about: end) }
        let known = Set(ends.map(\.order.id))
        for book in books {
            for entry in book.entries where !known.contains(entry.order) {
                lines.append("\(book.service.rawValue) knows \(entry.order), which was never ordered")
            }
            if let reserved = book.reservedStock, reserved != book.amount {
                lines.append(
                    "\(reserved) units of stock are reserved, but the orders' reservations are of \(book.amount)"
                )
            }
        }
        return lines
    }

    private func disagreements(about end: DemoEnd) -> [String] {
        let id = end.order.id
        guard end.status.isEnded else { return ["\(id) hasn't ended: it is \(end.status.name)"] }
        var lines: [String] = []
        if end.status != end.order.fate.end {
            lines.append("\(id) (\(end.order.fate.text)) is \(end.status.name), not \(end.order.fate.end.name)")
        }
        let expected = end.status == .completed ? 1 : 0
        for book in books {
            let entries = book.entries.filter { $0.order == id }
            let held = entries.reduce(0) { $0 + $1.held }
            let service = book.service
            guard held == expected else {
                lines.append(
                    "\(id) is \(end.status.name), but \(service.rawValue) holds \(held) \(service.effect)s for it"
                )
                continue
            }
            let amount = entries.reduce(0) { $0 + ($1.amount ?? 0) }
            switch service {
            case .inventory where amount != expected * end.order.units:
                lines.append("\(id) is for \(expected * end.order.units) units, but inventory holds \(amount) for it")
            case .payment where amount != expected * end.order.cents:
                lines.append("\(id) is for \(expected * end.order.cents) cents, but payment holds \(amount) for it")
            default: break
            }
        }
        return lines
    }
}
