import Glibc
import SagaCore

/// The definition files of `--sagas`.
struct DefinitionFolder {
    /// What a daemon takes when it isn't told, if it is there.
    static let defaultPath = "sagas"

    /// Each with the file's text as it was written.
    let definitions: [(definition: Definition, document: [UInt8])]
    /// What there is to say about the files, errors and warnings.
    let findings: [Finding]

    var hasErrors: Bool { findings.contains { $0.severity == .error } }

    /// Reads and checks the folder's `*.json`, sorted by name, but for `*.schema.json` and `*.test.json`.
    ///
    /// - Parameter path: the folder; nil takes the default, and nothing when that isn't there.
    /// - Throws: `StartFailure` for what can't be read.
    init(_ path: String?) throws(StartFailure) {
        let folder = path ?? Self.defaultPath
        guard let directory = opendir(folder) else {
            let code = errno
            guard path == nil, code == ENOENT || code == ENOTDIR else { throw Self.unreadable(folder, code) }
            definitions = []
            findings = []
            return
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            let isOther = name.hasSuffix(".schema.json") || name.hasSuffix(".test.json") || name.hasPrefix(".")
            if name.hasSuffix(".json"), !isOther { names.append(name) }
        }
        var files: [(path: String, bytes: [UInt8])] = []
        for name in names.sorted() {
            let file = folder.hasSuffix("/") ? "\(folder)\(name)" : "\(folder)/\(name)"
            files.append((file, try Self.read(file)))
        }
        let checked = DefinitionSet.check(files)
        definitions = checked.definitions.map { ($0.definition, $0.bytes) }
        findings = checked.findings
    }

    /// One byte more than a definition may have is enough to refuse it.
    private static func read(_ path: String) throws(StartFailure) -> [UInt8] {
        // Not blocking: it might be a pipe.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw unreadable(path, errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw unreadable(path, errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw StartFailure("can't read \(path): it is not a file") }
        var bytes = [UInt8](repeating: 0, count: min(Int(status.st_size), DefinitionParser.maximumBytes) + 1)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(descriptor, buffer.baseAddress?.advanced(by: count), buffer.count - count)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw unreadable(path, errno) }
            if got == 0 { break }
            count += got
        }
        return Array(bytes[..<count])
    }

    private static func unreadable(_ path: String, _ code: Int32) -> StartFailure {
        StartFailure("can't read \(path): \(String(cString: strerror(code)))")
    }
}
