import Glibc

/// How a program ended, and what it printed.
struct ProgramRun: Sendable {
    /// 0 is success; 128 and more is a signal, as a shell has it.
    let status: Int32
    /// Standard output and error together, at most the last 64 KiB.
    let output: String
    /// Whether it was killed because its time was over.
    let isTimedOut: Bool

    /// The line of the output that tells most about a failure.
    var reason: String {
        if isTimedOut { return "it took too long" }
        return Self.reason(in: output) ?? "exit status \(status)"
    }

    /// The gravest error that is stated, without what stands before it, else the last line.
    static func reason(in output: String) -> String? {
        let lines = output.split(separator: "\n").map { line in line.drop { $0 == " " || $0 == "\t" } }
        for mark in ["PANIC:", "FATAL:", "ERROR:", "error:"] {
            for line in lines {
                guard let place = line.indices.first(where: { line[$0...].hasPrefix(mark) }) else { continue }
                return String(line[place...].dropFirst(mark.count).drop { $0 == " " })
            }
        }
        return lines.last { !$0.isEmpty }.map(String.init)
    }

    /// Runs a program to its end, in `/`, with nothing on standard input and without this process' signals.
    ///
    /// It isn't stopped when the task is cancelled: a server half started or stopped helps nobody.
    ///
    /// - Parameters:
    ///   - command: the program's absolute path and its arguments.
    ///   - environment: all of its environment.
    ///   - limit: after it the program is killed.
    /// - Throws: `.program` when it can't be started.
    static func run(
        _ command: [String],
        environment: [String],
        limit: Duration
    ) async throws(EmbeddedClusterError) -> ProgramRun {
        let task = Task.detached { () -> Result<ProgramRun, EmbeddedClusterError> in
            do throws(EmbeddedClusterError) {
                return .success(try await runUncancelled(command, environment: environment, limit: limit))
            } catch {
                return .failure(error)
            }
        }
        return try await task.value.get()
    }

    private static func runUncancelled(
        _ command: [String],
        environment: [String],
        limit: Duration
    ) async throws(EmbeddedClusterError) -> ProgramRun {
        let name = command.first ?? ""
        // A file and not a pipe: a server that keeps it open holds nobody up.
        var template = Array("/tmp/saga-run-XXXXXX".utf8CString)
        let output = mkstemp(&template)
        guard output >= 0 else { throw .path("/tmp", reason: systemMessage(errno)) }
        _ = fcntl(output, F_SETFD, FD_CLOEXEC)
        defer { close(output) }
        unlink(template)
        // The working directory may be one that the server's user can't enter.
        let shell = ["/bin/sh", "-c", "cd / && exec \"$@\"", "sh"] + command
        let process = try spawn(shell, environment: environment, output: output, name: name)
        let (status, isTimedOut) = await wait(for: process, limit: limit)
        let text = FilePath.text(of: output, from: 0) ?? ""
        return ProgramRun(status: status, output: text, isTimedOut: isTimedOut)
    }

    private static func wait(for process: pid_t, limit: Duration) async -> (status: Int32, isTimedOut: Bool) {
        let end = ContinuousClock.now + limit
        var isTimedOut = false
        var pause = Duration.milliseconds(1)
        while true {
            var status: Int32 = 0
            let ended = waitpid(process, &status, WNOHANG)
            if ended == process {
                let signal = status & 0x7f
                return (signal == 0 ? (status >> 8) & 0xff : 128 + signal, isTimedOut)
            }
            if ended < 0, errno != EINTR { return (-1, isTimedOut) }
            if ContinuousClock.now >= end, !isTimedOut {
                isTimedOut = true
                kill(-process, SIGKILL)
            }
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(20))
        }
    }

    private static func spawn(
        _ command: [String],
        environment: [String],
        output: Int32,
        name: String
    ) throws(EmbeddedClusterError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A group of its own: Ctrl-C in the terminal is for this program, which then stops the server in order.
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))
        posix_spawnattr_setpgroup(&attributes, 0)
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        var process: pid_t = 0
        let code = withArguments(command) { arguments in
            withArguments(environment) { environment in
                posix_spawn(&process, command[0], &actions, &attributes, arguments, environment)
            }
        }
        guard code == 0 else { throw .program(name, reason: systemMessage(code)) }
        return process
    }

    private static func withArguments<R>(
        _ texts: [String],
        _ body: ([UnsafeMutablePointer<CChar>?]) -> R
    ) -> R {
        var pointers: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        pointers.append(nil)
        return body(pointers)
    }
}
