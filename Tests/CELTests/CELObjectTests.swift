import CEL
import JSON
import Synchronization
import Testing

@Suite struct CELObjectTests {
    /// Steps whose outputs are found when they are asked for, and an unfinished one that is an error to read.
    private struct Steps: CELObject {
        let memberNames = ["reserve", "charge"]

        func member(_ name: String) throws(CELError) -> CELValue? {
            switch name {
            case "reserve": return .json(["output": ["id": "r-1"]])
            case "charge": throw CELError(offset: 99, message: "the step 'charge' has not run", hint: "wait for it")
            default: return nil
            }
        }
    }

    /// A payload that is parsed when it is read, and counts how often.
    private final class Payload: CELObject {
        let bytes: [UInt8]
        let parses = Mutex(0)
        let memberNames: [String] = []

        init(_ text: String) { bytes = Array(text.utf8) }

        func member(_ name: String) throws(CELError) -> CELValue? { nil }

        func value() throws(CELError) -> CELValue? {
            parses.withLock { $0 += 1 }
            do throws(JSONError) {
                return .json(try JSON.parse(bytes))
            } catch {
                throw CELError(offset: 0, message: error.message)
            }
        }
    }

    @Test func membersAreFoundWhenAskedFor() throws {
        let steps = CELValue.object(Steps())
        #expect(try evaluate("steps.reserve.output.id", ["steps": steps]).text == "r-1")
        #expect(try evaluate("steps['reserve'].output", ["steps": steps]).text == #"{"id":"r-1"}"#)
        #expect(
            try evaluate("has(steps.reserve) && !has(steps.ship) && 'charge' in ['charge']", ["steps": steps]).text
                == "true"
        )
        #expect(try evaluate("'ship' in steps", ["steps": steps]).text == "false")
        #expect(try evaluate("size(steps)", ["steps": steps]).text == "2")
        #expect(try evaluate("steps.map(s, s)", ["steps": steps]).text == #"["reserve","charge"]"#)
    }

    @Test func anObjectsErrorIsShownWhereTheMemberIsRead() throws {
        let steps = CELValue.object(Steps())
        let error = #expect(throws: CELError.self) { try evaluate("1 + steps.charge.output", ["steps": steps]) }
        #expect(error == CELError(offset: 10, message: "the step 'charge' has not run", hint: "wait for it"))
        #expect(throws: CELError.self) { try evaluate("steps", ["steps": steps]).json() }
    }

    @Test func aPayloadIsParsedOnceAndOnlyWhenRead() throws {
        let payload = Payload(#"{"a": 0.10, "b": [1, 2]}"#)
        let variables = ["input": CELValue.object(payload)]
        #expect(try evaluate("1 + 1", variables).text == "2")
        #expect(payload.parses.withLock { $0 } == 0)
        #expect(try evaluate("input.a < 1 && input.b.all(x, x + input.b[0] > 0)", variables).text == "true")
        #expect(payload.parses.withLock { $0 } == 1)
        #expect(try evaluate("input", variables).json() == JSON.parse(payload.bytes))
        #expect(try evaluate("{'all': input}", variables).text == #"{"all":{"a":0.10,"b":[1,2]}}"#)
        #expect(throws: CELError.self) { try evaluate("input.a", ["input": .object(Payload("{"))]) }
    }
}
