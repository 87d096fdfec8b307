import Foundation
import SagaCore
import Testing

@testable import saga

@Suite struct OrderTests {
    @Test func programCarriesTheShippedOrderSaga() throws {
        let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let shipped = try String(contentsOf: project.appendingPathComponent("sagas/order.json"), encoding: .utf8)
        #expect(DemoOrderFile.text == shipped)
    }

    @Test func fortyOrdersHaveEveryFate() {
        let counts = DemoFate.allCases.map { fate in DemoOrder.make(40).count { $0.fate == fate } }
        #expect(counts == [22, 4, 4, 4, 2, 4])
        #expect(DemoFate.allCases == [.fine, .cardDeclined, .soldOut, .noCarrier, .answersLost, .refundFailsFirst])
    }

    @Test func ordersCarryTheirFate() {
        let inputs = DemoOrder.make(9).map(\.input.text)
        #expect(
            inputs == [
                #"{"orderId":"order-01","customer":"order-01@example.com","card":"visa","country":"FR","items":[{"sku":"book","quantity":1,"unitPriceCents":1490}]}"#,
                #"{"orderId":"order-02","customer":"order-02@example.com","card":"visa","country":"PL","items":[{"sku":"lamp","quantity":1,"unitPriceCents":3990},{"sku":"chair","quantity":2,"unitPriceCents":8900}]}"#,
                #"{"orderId":"order-03","customer":"order-03@example.com","card":"lost-answer","country":"FR","items":[{"sku":"mug","quantity":1,"unitPriceCents":850}]}"#,
                #"{"orderId":"order-04","customer":"order-04@example.com","card":"declined","country":"DE","items":[{"sku":"chair","quantity":2,"unitPriceCents":8900},{"sku":"book","quantity":3,"unitPriceCents":1490}]}"#,
                #"{"orderId":"order-05","customer":"order-05@example.com","card":"visa","country":"NL","items":[{"sku":"kettle","quantity":2,"unitPriceCents":2495}]}"#,
                #"{"orderId":"order-06","customer":"order-06@example.com","card":"visa","country":"FR","items":[{"sku":"book","quantity":2,"unitPriceCents":1490},{"sku":"mug","quantity":3,"unitPriceCents":850},{"sku":"sold-out","quantity":1,"unitPriceCents":990}]}"#,
                #"{"orderId":"order-07","customer":"order-07@example.com","card":"visa","country":"ZZ","items":[{"sku":"lamp","quantity":3,"unitPriceCents":3990}]}"#,
                #"{"orderId":"order-08","customer":"order-08@example.com","card":"visa","country":"AT","items":[{"sku":"mug","quantity":3,"unitPriceCents":850},{"sku":"kettle","quantity":1,"unitPriceCents":2495}]}"#,
                #"{"orderId":"order-09","customer":"order-09@example.com","card":"refund-fails-first","country":"ZZ","items":[{"sku":"chair","quantity":3,"unitPriceCents":8900}]}"#,
            ]
        )
    }

    @Test func numbersOfManyOrdersSortAsText() {
        let ids = DemoOrder.make(500).map(\.id)
        #expect(ids.first == "order-001" && ids.last == "order-500" && ids == ids.sorted())
        #expect(Set(ids).count == 500)
    }
}
