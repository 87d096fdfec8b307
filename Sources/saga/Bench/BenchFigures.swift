import Glibc
import JSON
import SagaCore
import SagaPostgres

/// What a run measured.
struct BenchFigures: Sendable, Hashable {
    let settings: BenchSettings
    let results: BenchResults
    /// Just before the first start was sent, by the database's clock.
    let begin: Instant
    /// Transactions of the whole run that wrote anything, the starts included.
    let writes: Int64
    /// Bytes of write-ahead log, of the starts as well.
    let wal: Int64
    let cpu: BenchMeters.Reading
    /// The largest daemon's, in MiB.
    let peakMemory: Double?
    let daemons: Int
    let server: BenchDatabase.Server

    /// From the first start to the last end.
    var seconds: Double { max(0.000_001, Double((results.lastEnd - begin).microseconds) / 1_000_000) }
    var sagasPerSecond: Double { Double(settings.sagas) / seconds }
    var stepsPerSecond: Double { sagasPerSecond * Double(settings.steps) }
    /// What the daemons wrote: all transactions but the bench's own starts.
    var commitsPerSaga: Double { perSaga(max(0, writes - Int64(settings.transactions))) }
    var walBytesPerSaga: Double { perSaga(wal) }
    var eventsPerSaga: Double { perSaga(Int64(results.events)) }

    private func perSaga(_ count: Int64) -> Double { Double(count) / Double(settings.sagas) }

    /// The document of `--format json`.
    var json: RawJSON {
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("sagas", settings.sagas)
        writer.field("steps", settings.steps)
        writer.field("seconds", Self.rounded(seconds, 3))
        writer.field("sagasPerSecond", Self.rounded(sagasPerSecond, 1))
        writer.field("stepsPerSecond", Self.rounded(stepsPerSecond, 1))
        writer.key("latencyMs")
        writer.beginObject()
        writer.field("p50", results.percentile(50))
        writer.field("p99", results.percentile(99))
        writer.endObject()
        writer.field("commitsPerSaga", Self.rounded(commitsPerSaga, 4))
        writer.field("walBytesPerSaga", Self.rounded(walBytesPerSaga, 1))
        writer.field("eventsPerSaga", Self.rounded(eventsPerSaga, 4))
        writer.field("daemonPeakRSSMiB", peakMemory.map { Self.rounded($0, 1) })
        writer.key("cpuSeconds")
        writer.beginObject()
        writer.field("daemon", cpu.daemon.map { Self.rounded($0, 2) })
        writer.field("postgres", cpu.postgres.map { Self.rounded($0, 2) })
        writer.field("bench", Self.rounded(cpu.bench, 2))
        writer.endObject()
        writer.field("behindSeconds", results.behind.map { Double($0) / 1_000_000 })
        writer.field("http", settings.url)
        writer.field("rate", settings.rate)
        writer.field("payloadBytes", settings.payload)
        writer.field("batch", settings.batch)
        writer.field("connections", settings.connections)
        writer.field("daemons", daemons)
        writer.key("postgres")
        writer.beginObject()
        writer.field("version", server.version)
        writer.field("synchronousCommit", server.synchronousCommit)
        writer.field("fsync", server.fsync)
        writer.endObject()
        writer.endObject()
        return writer.finished()
    }

    /// What people read.
    var lines: [String] {
        let kind = settings.url.map { "POST \($0)" } ?? "noop"
        var lines = [
            "\(counted(settings.sagas, "saga")) of \(counted(settings.steps, "step")) (\(kind)), "
                + "\(counted(daemons, "daemon")), PostgreSQL \(server.version)",
            "  throughput  \(Self.text(sagasPerSecond)) sagas/s, \(Self.text(stepsPerSecond)) steps/s, in "
                + "\(Self.text(seconds)) s",
            "  latency     p50 \(Self.text(results.percentile(50))) ms, p99 \(Self.text(results.percentile(99))) ms",
            "  per saga    \(Self.text(commitsPerSaga)) commits, \(Self.text(walBytesPerSaga)) bytes of WAL, "
                + "\(Self.text(eventsPerSaga)) events",
            "  CPU         \(Self.text(cpu.daemon)) s daemon, \(Self.text(cpu.postgres)) s PostgreSQL, "
                + "\(Self.text(cpu.bench)) s bench",
            "  memory      \(Self.text(peakMemory)) MiB at the daemon's peak",
        ]
        if let behind = results.behind {
            lines.append("  starts      \(Self.text(Double(behind) / 1_000_000)) s late at most")
        }
        for (name, value) in [("synchronous_commit", server.synchronousCommit), ("fsync", server.fsync)]
        where value == "off" { lines.append("  \(name) is off: a crash would lose what was acknowledged") }
        return lines
    }

    private static func rounded(_ value: Double, _ places: Int) -> Double {
        let scale = pow(10, Double(places))
        return (value * scale).rounded() / scale
    }

    /// Three digits that count; `-` for what isn't known.
    private static func text(_ value: Double?) -> String {
        guard let value else { return "-" }
        let places = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3
        let text = "\(rounded(value, places))"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}
