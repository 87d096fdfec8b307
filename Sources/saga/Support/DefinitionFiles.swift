import Glibc

/// The definition files that paths on the command line mean.
enum DefinitionFiles {
    /// Reads the files, those of a folder sorted by name; one that is meant twice is read once.
    ///
    /// Of a folder its own `*.json` are meant, but for `*.schema.json` and `*.test.json`.
    /// - Throws: `CommandFailure` for a path that can't be read and a folder without definitions.
    static func read(_ paths: [String]) throws(CommandFailure) -> [(path: String, bytes: [UInt8])] {
        var files: [(path: String, bytes: [UInt8])] = []
        var seen: Set<FileIdentity> = []
        for path in paths {
            for file in try expanded(path) {
                let identity = try FileIdentity(file)
                guard !identity.isDirectory else { throw CommandFailure("can't read \(file): Is a directory") }
                if seen.insert(identity).inserted { files.append((file, try FileBytes.read(file))) }
            }
        }
        return files
    }

    /// Whether there is a file, not a folder, at the path.
    static func isFile(_ path: String) -> Bool { (try? FileIdentity(path))?.isDirectory == false }

    private static func expanded(_ path: String) throws(CommandFailure) -> [String] {
        guard try FileIdentity(path).isDirectory else { return [path] }
        let names = try names(in: path).filter { name in
            name.hasSuffix(".json") && !name.hasSuffix(".schema.json") && !name.hasSuffix(".test.json")
        }
        guard !names.isEmpty else { throw CommandFailure("\(path) has no definition files (*.json)") }
        return names.map { path.hasSuffix("/") ? "\(path)\($0)" : "\(path)/\($0)" }
    }

    /// What a folder has, sorted, without hidden files.
    /// - Throws: `CommandFailure` if it can't be read.
    static func names(in path: String) throws(CommandFailure) -> [String] {
        guard let folder = opendir(path) else {
            throw CommandFailure("can't read \(path): \(String(cString: strerror(errno)))")
        }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    static func isFolder(_ path: String) -> Bool { (try? FileIdentity(path))?.isDirectory == true }
}

/// Which file a path leads to, whatever way it is written.
private struct FileIdentity: Hashable {
    let device: UInt
    let number: UInt
    let isDirectory: Bool

    init(_ path: String) throws(CommandFailure) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw CommandFailure("can't read \(path): \(String(cString: strerror(errno)))")
        }
        device = UInt(status.st_dev)
        number = UInt(status.st_ino)
        isDirectory = status.st_mode & S_IFMT == S_IFDIR
    }
}
