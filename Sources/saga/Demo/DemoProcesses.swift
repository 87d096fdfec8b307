import Glibc

/// The programs that the demo runs besides this one.
struct DemoPrograms: Sendable {
    /// The running program, with symbolic links resolved.
    let saga: String
    let sagad: String
    let orderDemo: String

    /// Finds them where this program lies.
    ///
    /// - Throws: `CommandFailure` naming what is missing.
    static func find() throws(CommandFailure) -> DemoPrograms {
        guard let real = realpath("/proc/self/exe", nil) else {
            throw CommandFailure("can't find this program's folder")
        }
        defer { free(real) }
        let saga = String(cString: real)
        let folder = saga.lastIndex(of: "/").map { String(saga[..<$0]) } ?? ""
        for name in ["sagad", "order-demo"] where access("\(folder)/\(name)", X_OK) != 0 {
            throw CommandFailure(
                "the demo needs \(name) beside saga, but there is none in \(folder): build all programs"
            )
        }
        return DemoPrograms(saga: saga, sagad: "\(folder)/sagad", orderDemo: "\(folder)/order-demo")
    }
}

/// A process that the demo has started; it is told to end when this process ends, however that comes about.
///
/// A shell stands between: it starts the program, and sends it SIGTERM once nobody holds the other end of a pipe. So
/// a killed demo leaves nothing behind, and the program itself needs to know nothing of it.
actor DemoChild {
    nonisolated let name: String
    /// Where its standard error goes.
    nonisolated let log: String
    private let shell: pid_t
    /// Closing it ends the program.
    private var lifeline: Int32
    /// The program's standard output; -1 when it goes to the log.
    private var output: Int32
    private var received: [UInt8] = []
    private var status: Int32?

    private static let guarding = """
        "$@" 3<&- & program=$!
        { read -r _; kill -TERM "$program"; } <&3 >/dev/null 2>&1 & guard=$!
        exec 3<&-
        wait "$program"; status=$?
        kill "$guard" 2>/dev/null
        exit "$status"
        """

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - command: the program's absolute path and its arguments.
    ///   - environment: all of its environment.
    ///   - log: the file that gets what it writes.
    ///   - readsOutput: whether its standard output is for `line(within:)` instead.
    /// - Throws: `CommandFailure`.
    init(
        _ name: String,
        _ command: [String],
        environment: [String: String],
        log: String,
        readsOutput: Bool = false
    ) throws(CommandFailure) {
        let life = try Pipe()
        let out: Pipe? = readsOutput ? try Pipe() : nil
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        posix_spawn_file_actions_adddup2(&actions, out?.writing ?? 2, 1)
        posix_spawn_file_actions_adddup2(&actions, life.reading, 3)
        let shellCommand = ["/bin/sh", "-c", Self.guarding, "sh"] + command
        let variables = environment.map { "\($0)=\($1)" }.sorted()
        let result = Self.spawn(shellCommand, variables, &actions)
        life.closeReading()
        out?.closeWriting()
        guard case .success(let process) = result else {
            life.closeWriting()
            out?.closeReading()
            throw CommandFailure("can't start \(name): \(result.reason)")
        }
        self.name = name
        self.log = log
        shell = process
        lifeline = life.writing
        output = out?.reading ?? -1
        if output >= 0 { _ = fcntl(output, F_SETFL, O_NONBLOCK) }
    }

    /// The exit status once it has ended; 128 and more is a signal, as a shell has it.
    func ended() -> Int32? {
        if status != nil { return status }
        var code: Int32 = 0
        guard waitpid(shell, &code, WNOHANG) == shell else { return nil }
        let signal = code & 0x7F
        status = signal == 0 ? (code >> 8) & 0xFF : 128 + signal
        return status
    }

    /// The next line of its standard output.
    ///
    /// - Returns: nil when it ends before, or says nothing within `limit`.
    /// - Throws: `CancellationError`.
    func line(within limit: Duration) async throws -> String? {
        let end = ContinuousClock.now + limit
        while true {
            let isOver = ended() != nil
            receive()
            if let mark = received.firstIndex(of: UInt8(ascii: "\n")) {
                defer { received.removeSubrange(...mark) }
                return String(decoding: received[..<mark], as: UTF8.self)
            }
            if isOver || ContinuousClock.now >= end { return nil }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Tells it to end and waits for that; kills what hasn't ended within `limit`.
    ///
    /// To be called from a task that isn't cancelled.
    func stop(within limit: Duration) async {
        if lifeline >= 0 { close(lifeline) }
        lifeline = -1
        let end = ContinuousClock.now + limit
        while ended() == nil {
            // The shell leads a group of its own, of which the program is a part.
            if ContinuousClock.now >= end { kill(-shell, SIGKILL) }
            try? await Task.sleep(for: .milliseconds(10))
        }
        if output >= 0 { close(output) }
        output = -1
    }

    /// The last line in its log without its own name before it.
    nonisolated var lastWords: String? {
        guard let bytes = try? FileBytes.read(log) else { return nil }
        let lines = bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
        guard let line = lines.last(where: { !$0.allSatisfy(\.isWhitespace) }) else { return nil }
        let own = "\(name): "
        return line.hasPrefix(own) ? String(line.dropFirst(own.count)) : line
    }

    private func receive() {
        guard output >= 0 else { return }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = read(output, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            received += buffer[..<count]
        }
    }

    private static func spawn(
        _ command: [String],
        _ environment: [String],
        _ actions: inout posix_spawn_file_actions_t
    ) -> Result<pid_t, SpawnError> {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Ctrl-C in the terminal is for this program, which then stops the others in order.
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))
        posix_spawnattr_setpgroup(&attributes, 0)
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        var process: pid_t = 0
        var (arguments, variables) = (command.map { strdup($0) }, environment.map { strdup($0) })
        defer { for pointer in arguments + variables { free(pointer) } }
        arguments.append(nil)
        variables.append(nil)
        let code = posix_spawn(&process, command[0], &actions, &attributes, arguments, variables)
        return code == 0 ? .success(process) : .failure(SpawnError(code: code))
    }
}

/// Why a process couldn't be started.
private struct SpawnError: Error {
    /// An `errno`.
    let code: Int32
}

extension Result where Failure == SpawnError {
    fileprivate var reason: String {
        guard case .failure(let error) = self else { return "" }
        return String(cString: strerror(error.code))
    }
}

/// Both ends of a pipe; neither goes to a child process by itself.
private struct Pipe {
    let reading: Int32
    let writing: Int32

    init() throws(CommandFailure) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw CommandFailure("can't make a pipe: \(String(cString: strerror(errno)))")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (reading, writing) = (ends[0], ends[1])
    }

    func closeReading() { close(reading) }
    func closeWriting() { close(writing) }
}
