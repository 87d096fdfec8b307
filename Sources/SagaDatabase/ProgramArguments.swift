import Glibc

/// What a program was called with.
public enum ProgramArguments {
    /// The arguments of this process, without the program's own name.
    ///
    /// Swift finds them on the stack below the environment, and takes them for none when a preloaded library, such as
    /// libfaketime, has set a variable before Swift looked: then the kernel is asked. A program that took that for a
    /// call without arguments would do something else than it was told.
    ///
    /// - Throws: `UnreadableArguments` when neither knows them.
    public static func current() throws(UnreadableArguments) -> [String] {
        try resolve(CommandLine.arguments, commandLine: { read("/proc/self/cmdline") })
    }

    /// - Parameters:
    ///   - arguments: as Swift has them, the program's name first.
    ///   - commandLine: as the kernel has them, each ended by a NUL; nil when it can't be read.
    static func resolve(_ arguments: [String], commandLine: () -> [UInt8]?) throws(UnreadableArguments) -> [String] {
        if !arguments.isEmpty { return Array(arguments.dropFirst()) }
        // Every process has its name there, be it empty.
        guard let bytes = commandLine(), !bytes.isEmpty else { throw UnreadableArguments() }
        let all = bytes.last == 0 ? bytes.dropLast() : bytes[...]
        return all.split(separator: 0, omittingEmptySubsequences: false).dropFirst()
            .map { String(decoding: $0, as: UTF8.self) }
    }

    private static func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count < 0 { return nil }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }
}

/// A process can't find out what it was called with.
///
/// Programs exit with `ExitStatus.usage`.
public struct UnreadableArguments: Error, Hashable, CustomStringConvertible {
    public var description: String {
        "can't read the arguments: a preloaded library hides them from Swift, and /proc/self/cmdline can't be read; "
            + "unset LD_PRELOAD, or mount /proc"
    }
}
