import Foundation
import JSON
import Testing

@Suite struct JSONTestSuiteTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let bytes: [UInt8]
        var testDescription: String { name }
    }

    static let cases: [Case] = {
        guard
            let folder = Bundle.module.url(forResource: "JSONTestSuite", withExtension: nil, subdirectory: "Resources"),
            let files = try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        else { return [] }
        return files.filter { $0.pathExtension == "json" }
            .compactMap { file in
                (try? Data(contentsOf: file)).map { Case(name: file.lastPathComponent, bytes: [UInt8]($0)) }
            }
            .sorted { $0.name < $1.name }
    }()

    @Test func theWholeSuiteIsThere() {
        let counts = Dictionary(grouping: Self.cases) { $0.name.prefix(2) }.mapValues(\.count)
        #expect(counts == ["y_": 95, "n_": 188, "i_": 35])
    }

    @Test(arguments: cases.filter { $0.name.hasPrefix("y_") })
    func accepts(_ one: Case) throws {
        let value = try JSON.parse(one.bytes)
        #expect(try JSON.validate(one.bytes).kind == value.kind)
        #expect(try LocatedJSON.parse(one.bytes).json == value)
        #expect(try JSON.parse(value.serialized()) == value)
        #expect(try RawJSON(validating: one.bytes).parsed() == value)
    }

    @Test(arguments: cases.filter { $0.name.hasPrefix("n_") })
    func refuses(_ one: Case) {
        let errors = [
            #expect(throws: JSONError.self) { try JSON.parse(one.bytes) },
            #expect(throws: JSONError.self) { try JSON.validate(one.bytes) },
            #expect(throws: JSONError.self) { try LocatedJSON.parse(one.bytes) },
        ]
        #expect(Set(errors).count == 1, "all parsers name the same fault")
    }

    @Test(arguments: cases.filter { $0.name.hasPrefix("i_") })
    func agreesOnWhatMayBeEither(_ one: Case) {
        let accepted = (try? JSON.parse(one.bytes)) != nil
        #expect(accepted == ((try? JSON.validate(one.bytes)) != nil))
        #expect(accepted == ((try? LocatedJSON.parse(one.bytes)) != nil))
        // Numbers are kept as literals whatever their size, and depth 500 is beyond the limit; all others are broken
        // text.
        #expect(accepted == one.name.hasPrefix("i_number_"))
    }
}
