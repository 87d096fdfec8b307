import Foundation
import SagaCore
import Testing

/// The definitions that come with the project are right.
@Suite struct ShippedDefinitionTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "../../../sagas").standardized

    static func files() throws -> [(path: String, bytes: [UInt8])] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasSuffix(".json") && !$0.hasSuffix(".schema.json") && !$0.hasSuffix(".test.json") }
            .sorted()
            .map { ($0, Array(try Data(contentsOf: folder.appending(path: $0)))) }
    }

    @Test func allOfThemPass() throws {
        let checked = DefinitionSet.check(try Self.files())
        #expect(checked.findings.map(\.text) == [])
        #expect(Set(checked.definitions.map(\.definition.name)).isSuperset(of: ["order", "transfer", "trip"]))
        for (path, definition, _) in checked.definitions { #expect(path == "\(definition.name).json") }
    }

    @Test func theirOrderIsTheOneTheyTell() throws {
        let definitions = DefinitionSet.check(try Self.files()).definitions.map(\.definition)
        func order(_ name: String) -> [String] {
            definitions.filter { $0.name == name }.flatMap { definition in
                definition.steps.indices.map { index in
                    let after = definition.graph.predecessors[index].map { definition.steps[$0].name }
                    return definition.steps[index].name + (definition.pivot == index ? "!" : "")
                        + (after.isEmpty ? "" : " after " + after.joined(separator: ","))
                }
            }
        }
        #expect(
            order("order") == [
                "reserve_inventory", "charge_payment after reserve_inventory", "create_shipment after charge_payment",
                "send_confirmation after create_shipment",
            ]
        )
        #expect(
            order("trip") == [
                "book_hotel", "book_flight", "book_car", "send_itinerary after book_hotel,book_flight,book_car",
            ]
        )
        #expect(order("transfer") == ["withdraw", "deposit! after withdraw", "send_receipt after deposit"])
    }
}
