import Glibc
import SagaPostgres

/// Reads what the processes of a run have used, as far as they run on this machine.
struct BenchMeters: Sendable {
    /// The daemons' processes; nil when one of them runs elsewhere.
    let daemons: [pid_t]?
    /// The server's first process, the parent of all others; nil when it runs elsewhere.
    let postmaster: pid_t?

    /// CPU seconds used, since each process began.
    struct Reading: Sendable, Hashable {
        let daemon: Double?
        let postgres: Double?
        let bench: Double

        /// What was used from one reading to the next.
        static func - (later: Self, earlier: Self) -> Self {
            func difference(_ part: KeyPath<Self, Double?>) -> Double? {
                guard let end = later[keyPath: part], let begin = earlier[keyPath: part] else { return nil }
                return max(0, end - begin)
            }
            return Self(
                daemon: difference(\.daemon),
                postgres: difference(\.postgres),
                bench: later.bench - earlier.bench
            )
        }
    }

    init(daemons: [BenchDatabase.LiveDaemon], server: BenchDatabase.Server) {
        let host = Self.hostName
        let local = daemons.filter { $0.host == host && ProcessStatistics($0.pid)?.name == "sagad" }.map(\.pid)
        self.daemons = local.count == daemons.count ? local : nil
        postmaster = Self.postmaster(of: server)
    }

    func read() -> Reading {
        var usage = rusage()
        // RUSAGE_SELF, which Swift sees as a type of its own.
        getrusage(__rusage_who_t(0), &usage)
        let own = [usage.ru_utime, usage.ru_stime].map { Double($0.tv_sec) + Double($0.tv_usec) / 1_000_000 }
        return Reading(daemon: daemonSeconds, postgres: postgresSeconds, bench: own.reduce(0, +))
    }

    /// The largest memory that any of the daemons has held since it began, in MiB; nil when that can't be told.
    var peakMemory: Double? {
        guard let daemons else { return nil }
        return daemons.compactMap { ProcessStatistics.peakKilobytes($0) }.max().map { Double($0) / 1_024 }
    }

    private var daemonSeconds: Double? {
        guard let daemons else { return nil }
        let used = daemons.compactMap { ProcessStatistics($0)?.ownSeconds }
        return used.count == daemons.count ? used.reduce(0, +) : nil
    }

    /// A process that ends hands its time on to the first one, so none is lost between two readings.
    private var postgresSeconds: Double? {
        guard let postmaster, let first = ProcessStatistics(postmaster) else { return nil }
        let children = ProcessStatistics.all.filter { $0.parent == postmaster }.map(\.ownSeconds)
        return children.reduce(first.ownSeconds + first.endedChildrenSeconds, +)
    }

    /// The server's process is known by what it calls itself: process ids may be those of another container.
    private static func postmaster(of server: BenchDatabase.Server) -> pid_t? {
        guard server.isLocal, let process = ProcessStatistics(server.process), process.name == "postgres",
            let title = try? FileBytes.read("/proc/\(server.process)/cmdline"),
            String(decoding: title, as: UTF8.self).contains(server.database)
        else { return nil }
        return ProcessStatistics(process.parent)?.name == "postgres" ? process.parent : nil
    }

    /// As a daemon writes it into its row.
    private static var hostName: String {
        var names = utsname()
        guard uname(&names) == 0 else { return "" }
        return withUnsafeBytes(of: &names.nodename) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

/// What the kernel tells of a process: `/proc/PID/stat`, see proc(5).
struct ProcessStatistics: Hashable {
    let name: String
    let parent: pid_t
    /// CPU seconds, in user mode and in the kernel.
    let ownSeconds: Double
    /// CPU seconds of the children that have ended and been waited for.
    let endedChildrenSeconds: Double

    /// - Returns: nil when there is no such process.
    init?(_ process: pid_t) {
        guard let bytes = try? FileBytes.read("/proc/\(process)/stat") else { return nil }
        self.init(text: String(decoding: bytes, as: UTF8.self), ticksPerSecond: Int(sysconf(Int32(_SC_CLK_TCK))))
    }

    /// - Parameter text: the whole line. The name stands in brackets and may itself hold blanks and brackets.
    init?(text: String, ticksPerSecond: Int) {
        guard let open = text.firstIndex(of: "("), let close = text.lastIndex(of: ")"), open < close else { return nil }
        let fields = text[text.index(after: close)...].split(separator: " ")
        guard fields.count > 14, let parent = pid_t(fields[1]), ticksPerSecond > 0 else { return nil }
        let ticks = fields[11...14].compactMap { Double($0) }
        guard ticks.count == 4 else { return nil }
        name = String(text[text.index(after: open)..<close])
        self.parent = parent
        ownSeconds = (ticks[0] + ticks[1]) / Double(ticksPerSecond)
        endedChildrenSeconds = (ticks[2] + ticks[3]) / Double(ticksPerSecond)
    }

    /// All processes that can be seen.
    static var all: [ProcessStatistics] {
        guard let folder = opendir("/proc") else { return [] }
        defer { closedir(folder) }
        var processes: [ProcessStatistics] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let process = pid_t(name).flatMap({ ProcessStatistics($0) }) { processes.append(process) }
        }
        return processes
    }

    /// The most memory that a process has had resident (VmHWM), in KiB.
    static func peakKilobytes(_ process: pid_t) -> Int? {
        guard let bytes = try? FileBytes.read("/proc/\(process)/status") else { return nil }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") where line.hasPrefix("VmHWM:") {
            return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
        }
        return nil
    }
}
