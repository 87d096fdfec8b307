import JSON
import SagaCore
import SagaEngine

/// A day that was old enough, and what became of it.
struct PruneResult {
    enum Outcome: String {
        case droppable, dropped, kept, busy

        init(_ partition: AgedPartition) { self = partition.pinning == 0 ? .droppable : .kept }
    }

    let partition: AgedPartition
    let outcome: Outcome

    /// An array of objects, the oldest day first.
    static func json(_ results: [PruneResult]) -> RawJSON {
        var writer = JSONWriter()
        writer.beginArray()
        for result in results { result.write(to: &writer) }
        writer.endArray()
        return writer.finished()
    }

    private func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("day", partition.day)
        writer.field("sagas", partition.sagas)
        writer.field("bytes", Int(partition.bytes))
        writer.field("outcome", outcome.rawValue)
        writer.field("pinning", partition.pinning)
        writer.field("unended", partition.unended)
        writer.key("oldest")
        if let oldest = partition.oldest {
            writer.beginObject()
            writer.field("id", "\(oldest.saga)")
            writer.field("status", oldest.status.name)
            writer.field("endedAt", oldest.endedAt?.text)
            writer.endObject()
        } else {
            writer.null()
        }
        writer.endObject()
    }
}

/// What pruning came to, for people.
struct PruneText {
    let results: [PruneResult]
    let age: TimeSpan
    let isDryRun: Bool
    let terminal: Terminal

    var lines: [String] {
        if results.isEmpty { return ["Nothing is old enough: no day of starts lies more than \(age.written) back"] }
        var table = Table([
            .init("DAY"), .init("SAGAS", isNumeric: true), .init("SIZE", isNumeric: true), .init("OUTCOME"),
        ])
        for result in results {
            table.add([
                .init(result.partition.day), .init(String(result.partition.sagas)),
                .init(Self.size(result.partition.bytes)), .init(text(result)),
            ])
        }
        return table.lines(for: terminal)
    }

    private func text(_ result: PruneResult) -> String {
        switch result.outcome {
        case .droppable: return "would be dropped"
        case .dropped: return "dropped"
        case .busy: return "kept: somebody reads or writes for long; try again"
        case .kept: break
        }
        let partition = result.partition
        guard let oldest = partition.oldest else { return "kept: it changed meanwhile" }
        if let endedAt = oldest.endedAt {
            let count = partition.pinning == 1 ? "1 saga" : "\(partition.pinning) sagas"
            return "kept: \(count) ended less than \(age.written) ago, first \(oldest.saga) (\(endedAt.compact))"
        }
        let count = partition.unended == 1 ? "1 saga hasn't" : "\(partition.unended) sagas haven't"
        return "kept: \(count) ended, first \(oldest.saga) (\(oldest.status.name))"
    }

    /// Bytes in the unit that leaves up to four digits.
    static func size(_ bytes: Int64) -> String {
        var value = max(0, bytes)
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if value < 10_000 { return "\(value) \(unit)" }
            value = (value + 512) / 1_024
        }
        return "\(value) TiB"
    }
}
