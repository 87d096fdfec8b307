import JSON
import SagaCore

/// What is in store for an order, all of it by what stands in the order itself.
enum DemoFate: String, CaseIterable, Sendable {
    case fine
    case cardDeclined
    case soldOut
    case noCarrier
    case answersLost
    case refundFailsFirst

    /// What is in store, for people.
    var text: String {
        switch self {
        case .fine: "nothing"
        case .cardDeclined: "the card is declined"
        case .soldOut: "an article is sold out"
        case .noCarrier: "no carrier for the country"
        case .answersLost: "the charge's answers are lost"
        case .refundFailsFirst: "no carrier, a refund fails"
        }
    }

    /// How an order with this fate ends.
    var end: SagaStatus { self == .fine ? .completed : .compensated }

    /// Twenty orders' fates; the demo goes round in them.
    static let round: [DemoFate] = [
        .fine, .fine, .answersLost, .cardDeclined, .fine, .soldOut, .noCarrier, .fine, .refundFailsFirst, .fine,
        .fine, .cardDeclined, .fine, .fine, .noCarrier, .fine, .soldOut, .fine, .refundFailsFirst, .fine,
    ]
}

/// One of the demo's orders.
struct DemoOrder: Sendable, Hashable {
    /// One article on it.
    struct Item: Sendable, Hashable {
        let sku: String
        let quantity: Int
        let unitPriceCents: Int
    }

    /// Its number as text, such as `order-07`: the saga's key and the services' order id.
    let id: String
    let fate: DemoFate
    let items: [Item]

    private static let articles = [
        ("book", 1_490), ("lamp", 3_990), ("mug", 850), ("chair", 8_900), ("kettle", 2_495),
    ]
    private static let countries = ["DE", "FR", "NL", "PL", "AT"]

    /// The first `count` orders, the same ones every time.
    static func make(_ count: Int) -> [DemoOrder] {
        let digits = max(2, String(count).count)
        return (0..<count).map { index in
            let number = String(index + 1)
            let fate = DemoFate.round[index % DemoFate.round.count]
            var items = (0...index % 2).map { place in
                let (sku, price) = articles[(index + 2 * place) % articles.count]
                return Item(sku: sku, quantity: 1 + (index / 3 + place) % 3, unitPriceCents: price)
            }
            if fate == .soldOut { items.append(Item(sku: "sold-out", quantity: 1, unitPriceCents: 990)) }
            let id = "order-" + String(repeating: "0", count: digits - number.count) + number
            return DemoOrder(id: id, fate: fate, items: items)
        }
    }

    /// An order for somebody who plays with what `--keep` leaves running.
    static let sample = DemoOrder(
        id: "my-order",
        fate: .fine,
        items: [Item(sku: "book", quantity: 1, unitPriceCents: 1_490)]
    )

    var units: Int { items.reduce(0) { $0 + $1.quantity } }
    var cents: Int { items.reduce(0) { $0 + $1.quantity * $1.unitPriceCents } }

    /// The saga's input.
    var input: RawJSON {
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("orderId", id)
        writer.field("customer", "\(id)@example.com")
        writer.field("card", card)
        writer.field("country", country)
        writer.key("items")
        writer.beginArray()
        for item in items {
            writer.beginObject()
            writer.field("sku", item.sku)
            writer.field("quantity", item.quantity)
            writer.field("unitPriceCents", item.unitPriceCents)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return writer.finished()
    }

    /// The participant services know what to do by it.
    private var card: String {
        switch fate {
        case .cardDeclined: "declined"
        case .answersLost: "lost-answer"
        case .refundFailsFirst: "refund-fails-first"
        case .fine, .soldOut, .noCarrier: "visa"
        }
    }

    private var country: String {
        switch fate {
        case .noCarrier, .refundFailsFirst: "ZZ"
        default: Self.countries[units % Self.countries.count]
        }
    }
}
