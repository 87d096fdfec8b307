import JSON
import SagaCore

/// A simulated run as a JSON document for programs.
///
/// Times are milliseconds since the start; absent values are null.
public struct SimulationDocument: Sendable {
    private let result: SimulationResult
    private let definition: Definition
    private let seed: UInt64

    public init(_ result: SimulationResult, definition: Definition, seed: UInt64) {
        self.result = result
        self.definition = definition
        self.seed = seed
    }

    public var json: RawJSON {
        var writer = JSONWriter(reservingCapacity: 4_096)
        writer.beginObject()
        writer.field("saga", definition.name)
        writer.field("version", definition.digest.version)
        writer.field("id", result.saga.description)
        writer.field("seed", seed)
        writer.field("status", result.status.name)
        writer.field("ending", result.ending.rawValue)
        writer.field("durationMs", result.duration.milliseconds)
        writer.key("failure")
        write(result.state.failure, to: &writer)
        writer.field("output", result.state.output?.onOneLine)
        list("events", result.events, &writer, write)
        list("calls", result.calls, &writer, write)
        list("effects", result.books.standing, &writer) { effect, writer in
            writer.field("step", effect.step)
            writer.field("idempotencyKey", effect.key)
            writer.field("atMs", sinceStart(effect.at))
        }
        list("books", result.books.entries, &writer) { entry, writer in
            writer.field("entry", entry.kind.rawValue)
            writer.field("step", entry.step)
            writer.field("idempotencyKey", entry.key)
            writer.field("atMs", sinceStart(entry.at))
        }
        list("breakerEvents", result.breakerEvents, &writer) { line, writer in
            writer.field("service", line.service)
            writer.field("type", line.event.type.name)
            writer.field("atMs", sinceStart(line.event.at))
            writer.field("data", line.event.data)
        }
        writer.endObject()
        return writer.finished()
    }

    private func list<Element>(
        _ name: String, _ elements: [Element], _ writer: inout JSONWriter,
        _ fields: (Element, inout JSONWriter) -> Void
    ) {
        writer.key(name)
        writer.beginArray()
        for element in elements {
            writer.beginObject()
            fields(element, &writer)
            writer.endObject()
        }
        writer.endArray()
    }

    private func write(_ failure: SagaFailure?, to writer: inout JSONWriter) {
        guard let failure else { return writer.null() }
        writer.beginObject()
        writer.field("step", failure.step.map { definition.steps[$0].name })
        writer.field("error", failure.error)
        writer.field("message", failure.message)
        writer.endObject()
    }

    private func write(_ event: StoredEvent, to writer: inout JSONWriter) {
        writer.field("sequence", event.sequence)
        writer.field("type", "saga.\(event.typeName)")
        writer.field("atMs", sinceStart(event.at))
        writer.field("data", event.data.map { RawJSON(unchecked: $0).onOneLine })
    }

    private func write(_ made: SimulatedCall, to writer: inout JSONWriter) {
        let call = made.call
        writer.field("step", call.stepName)
        writer.field("operation", call.operation.side.rawValue)
        writer.field("attempt", call.attempt)
        writer.field("idempotencyKey", call.idempotencyKey)
        writer.field("compensates", call.compensates)
        if case .http(let request) = call.request {
            writer.field("service", request.service.name)
            writer.field("method", request.method)
            writer.field("target", request.target)
            writer.field("body", request.body?.onOneLine)
        }
        writer.field("atMs", sinceStart(made.at))
        writer.field("answeredAtMs", made.answeredAt.map(sinceStart))
        switch made.answer {
        case .done(let output):
            writer.field("outcome", Outcome.done.rawValue)
            writer.field("error", nil as String?)
            writer.field("output", output.onOneLine)
        case .failed(let refusal), .unknown(let refusal):
            writer.field("outcome", made.outcome?.rawValue)
            writer.field("error", refusal.error)
            writer.field("output", nil as RawJSON?)
        case nil:
            writer.field("outcome", nil as String?)
            writer.field("error", nil as String?)
            writer.field("output", nil as RawJSON?)
        }
    }

    private func sinceStart(_ instant: Instant) -> Int64 { (instant - SimulatedRun.start).milliseconds }
}

extension TimeSpan {
    fileprivate var milliseconds: Int64 { microseconds / 1_000 }
}
