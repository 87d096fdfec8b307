import JSON
import SagaCore

/// What one run of `saga bench` measures.
struct BenchSettings: Sendable, Hashable {
    let sagas: Int
    let steps: Int
    /// Where each step is posted to; nil for steps that the daemon answers itself.
    let url: String?
    /// Starts a second, due at fixed times whatever happened before; nil starts as fast as the database takes them.
    let rate: Double?
    /// The length of the text in each saga's input; 0 is the input `{}`.
    let payload: Int
    /// Starts in one transaction.
    let batch: Int
    /// Connections that start sagas.
    let connections: Int

    /// The name of the bench's own saga, which has a version for each kind and number of steps.
    static let saga = "saga_bench"

    /// What a saga that went through without a retry has: its start and end, and two a step.
    var eventsPerSaga: Int { 2 * steps + 2 }

    /// How many transactions the starts are.
    var transactions: Int { (sagas + batch - 1) / batch }

    /// The text of the definition.
    var document: RawJSON {
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("saga", Self.saga)
        writer.field("description", "Written by saga bench, to measure this installation.")
        writer.key("steps")
        writer.beginArray()
        for number in 1...max(1, steps) {
            writer.beginObject()
            writer.field("name", "step\(number)")
            writer.key("action")
            writer.beginObject()
            if let url {
                writer.key("http")
                writer.beginObject()
                writer.field("url", url)
                writer.field("body", "${ input }")
                writer.endObject()
            } else {
                writer.field("noop", true)
            }
            writer.endObject()
            if url != nil { writer.field("compensation", "none") }
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return writer.finished()
    }

    /// The input of every saga.
    ///
    /// Its text is the same each time and looks random, so that the server can't compress it away.
    var input: RawJSON {
        guard payload > 0 else { return RawJSON(unchecked: Array("{}".utf8)) }
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var state: UInt64 = 1
        var text: [UInt8] = []
        text.reserveCapacity(payload)
        for _ in 0..<payload {
            // Knuth's linear congruential generator; its upper bits are the good ones.
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            text.append(letters[Int(state >> 58)])
        }
        return RawJSON(unchecked: Array(#"{"payload":""#.utf8) + text + Array(#""}"#.utf8))
    }

    /// The definition as the registry takes it.
    ///
    /// - Throws: `CommandFailure` when the URL is none.
    func definition() throws(CommandFailure) -> Definition {
        let parsed = DefinitionParser.parse(document.bytes)
        if let definition = parsed.definition { return definition }
        let reason = parsed.findings.first { $0.severity == .error }?.message ?? "it isn't valid"
        throw CommandFailure("no saga can be made with --http \(url ?? ""): \(reason)")
    }
}
