import Glibc

/// An open file with a `flock` on it, which goes with the file or the process and never to a child process.
struct FileLock: ~Copyable, Sendable {
    private let descriptor: Int32
    let path: String

    enum Mode: Sendable {
        case shared
        case exclusive

        fileprivate var operation: Int32 { self == .shared ? LOCK_SH : LOCK_EX }
    }

    /// Opens the file.
    ///
    /// - Parameter creating: whether to make it when it isn't there.
    /// - Throws: `.path`.
    init(path: String, creating: Bool) throws(EmbeddedClusterError) {
        // Reading is enough for a lock, so that whoever may only look holds the cluster as well.
        var descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        if descriptor < 0, errno == ENOENT, creating {
            descriptor = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
        }
        guard descriptor >= 0 else { throw .path(path, reason: systemMessage(errno)) }
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        close(descriptor)
    }

    /// Takes the lock if nobody stands against it; a lock held before is then lost in any case.
    ///
    /// - Throws: `.path` when the file system has no locks.
    func take(_ mode: Mode) throws(EmbeddedClusterError) -> Bool {
        while flock(descriptor, mode.operation | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            if errno == EWOULDBLOCK { return false }
            throw .path(path, reason: "can't be locked: \(systemMessage(errno))")
        }
        return true
    }

    /// Takes the lock, waiting up to `limit` for it.
    ///
    /// - Throws: `.busy` when the time is over, `.path`.
    func take(_ mode: Mode, within limit: Duration) async throws(EmbeddedClusterError) {
        let end = ContinuousClock.now + limit
        while try !take(mode) {
            guard ContinuousClock.now < end, !Task.isCancelled else { throw .busy(path) }
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    func release() {
        flock(descriptor, LOCK_UN)
    }
}
