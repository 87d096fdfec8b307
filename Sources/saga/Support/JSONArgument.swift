import Glibc
import JSON

/// JSON given on the command line: the text itself, `@FILE`, or `-` for standard input.
enum JSONArgument {
    /// A merge patch: an object as it stands, `-`, or the path of a file, with or without `@`.
    ///
    /// - Throws: as `read(_:what:)`.
    static func readPatch(_ argument: String) throws(CommandFailure) -> RawJSON {
        guard let first = argument.first(where: { !$0.isWhitespace }) else {
            throw CommandFailure("the patch is empty")
        }
        let isAsItStands = argument == "-" || "@{[\"".contains(first)
        return try read(isAsItStands ? argument : "@" + argument, what: "the patch")
    }

    /// - Parameter what: what the JSON is, for messages, such as "the input".
    /// - Throws: `CommandFailure` naming line and column where it isn't JSON.
    static func read(_ argument: String, what: String) throws(CommandFailure) -> RawJSON {
        let bytes: [UInt8]
        let source: String
        if argument == "-" {
            bytes = try FileBytes.read(descriptor: STDIN_FILENO, name: "standard input")
            source = "\(what) on standard input"
        } else if argument.hasPrefix("@") {
            let path = String(argument.dropFirst())
            bytes = try FileBytes.read(path)
            source = "\(what) in \(path)"
        } else {
            bytes = Array(argument.utf8)
            source = what
        }
        do throws(JSONError) {
            return try RawJSON(validating: bytes)
        } catch {
            throw CommandFailure("\(source) isn't JSON: line \(error.line), column \(error.column): \(error.message)")
        }
    }
}

/// Whole files as bytes.
enum FileBytes {
    /// No definition and no payload is as long; what is longer is not read.
    private static let maximum = 16 << 20

    /// - Throws: `CommandFailure` naming the file and the system's reason.
    static func read(_ path: String) throws(CommandFailure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw CommandFailure("can't read \(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        return try read(descriptor: descriptor, name: path)
    }

    /// - Throws: as `read(_:)`.
    static func read(descriptor: Int32, name: String) throws(CommandFailure) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                throw CommandFailure("can't read \(name): \(String(cString: strerror(errno)))")
            }
            bytes += buffer[..<count]
            guard bytes.count <= maximum else { throw CommandFailure("\(name) is longer than 16 MiB") }
        }
    }
}
