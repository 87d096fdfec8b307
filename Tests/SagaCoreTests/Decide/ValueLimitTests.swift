import JSON
import SagaCore
import Testing

/// What a definition makes must be stored and read back: whatever it makes, the saga stays readable.
@Suite struct ValueLimitTests {
    /// A saga of one `pass` step, run at once.
    private func run(pass: String, output: String = "null", input: String) throws -> (SagaState, [StoredEvent]) {
        let text = #"{"saga": "s", "steps": [{"name": "a", "action": {"pass": \#(pass)}}], "output": \#(output)}"#
        let definition = try #require(DefinitionParser.parse(Array(text.utf8)).definition)
        let start = RecordedEvent(
            sequence: 1, cause: nil, at: at(0), event: .sagaStarted(input: RawJSON(unchecked: Array(input.utf8))))
        let state = try #require(SagaState(folding: [start], id: sagaID, key: nil, definition: definition))
        let decision = decide(state, .proceed, now: at(1), definition: definition)
        let stored = ([start] + decision.events).map { EventCodec.encode($0, definition: definition) }
        let read = try stored.map { try EventCodec.decode($0, definition: definition) }
        #expect(SagaState(folding: read, id: sagaID, key: nil, definition: definition) == decision.state)
        return (decision.state, stored)
    }

    private func nested(_ depth: Int) -> String {
        String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }

    @Test func anOutputThatNestsTooDeepFailsTheStep() throws {
        let (deep, _) = try run(pass: #"["${ input }"]"#, input: nested(100))
        #expect(deep.failure?.error == "Saga.Expression")
        #expect(deep.failure?.message == "the value nests deeper than 100 levels")
        let (fits, _) = try run(pass: #"["${ input }"]"#, input: nested(99))
        #expect(fits.status == .completed)
    }

    @Test func aThousandReferencesToOneLargeValueAreNeverWrittenOut() throws {
        let references = Array(repeating: #""${ input }""#, count: 1_000).joined(separator: ",")
        let large = #""\#(String(repeating: "x", count: 1_000_000))""#
        let (state, _) = try run(pass: "[\(references)]", input: large)
        #expect(state.failure?.message == "the value is longer than 1048576 bytes")
    }

    @Test func whatOnlyItsTextMakesTooLongIsTooLong() throws {
        let quotes = #""\#(String(repeating: #"\""#, count: 524_288))""#
        let (state, _) = try run(pass: #""${ input }""#, input: quotes)
        #expect(state.failure?.message == "the value is longer than 1048576 bytes")
        let (fits, _) = try run(pass: #""${ input }""#, input: #""\#(String(repeating: #"\""#, count: 524_287))""#)
        #expect(fits.status == .completed)
    }

    @Test func aZeroCharacterCantBeStored() throws {
        let (state, _) = try run(pass: #"{"x": "${ 'a' + '\\u0000' }"}"#, input: "1")
        #expect(state.failure?.message == "the value holds the character U+0000, which can't be stored")
        let (key, _) = try run(pass: #"{"x\u0000": 1}"#, input: "1")
        #expect(key.failure?.message == "the value holds the character U+0000, which can't be stored")
    }

    @Test func theSagasOutputIsBoundAsWell() throws {
        let (state, events) = try run(pass: "null", output: #"["${ input }"]"#, input: nested(100))
        #expect(state.status == .compensated)
        #expect(state.failure?.message == "output: the value nests deeper than 100 levels")
        #expect(events.last?.type == EventType.sagaCompensated.rawValue)
    }
}
