import Glibc

/// Paths as text; the room needs little of what a library for them does.
enum FilePath {
    /// The path without `.`, `..` and doubled slashes, seen from `directory` when it is relative.
    static func absolute(_ path: String, from directory: String) -> String {
        let whole = path.utf8.first == UInt8(ascii: "/") ? path : "\(directory)/\(path)"
        var parts: [Substring] = []
        for part in whole.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// The path with symbolic links resolved as far as it exists, so that one folder has one name.
    static func resolved(_ path: String) -> String {
        if let real = realpath(path, nil) {
            defer { free(real) }
            return String(cString: real)
        }
        guard path != "/", let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
        let parent = resolved(slash == path.startIndex ? "/" : String(path[..<slash]))
        return (parent == "/" ? "" : parent) + path[slash...]
    }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    /// The names in a folder, sorted; empty when it can't be read.
    static func names(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// The text of a small file; nil when it can't be read.
    static func text(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return text(of: descriptor, from: 0)
    }

    /// What the descriptor's file holds from `offset` on, at most 64 KiB of its end.
    static func text(of descriptor: Int32, from offset: Int64) -> String? {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        let limit: Int64 = 65_536
        // Files in /proc have no size.
        let start = status.st_size == 0 ? offset : max(offset, Int64(status.st_size) - limit)
        var bytes = [UInt8](repeating: 0, count: Int(limit))
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress?.advanced(by: count), buffer.count - count, off_t(start) + count)
            }
            if got < 0, errno == EINTR { continue }
            if got <= 0 { break }
            count += got
        }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    static func size(of path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }
}

/// The system's text for an `errno`.
func systemMessage(_ code: Int32) -> String { String(cString: strerror(code)) }
