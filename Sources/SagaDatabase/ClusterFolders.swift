import Glibc

/// Makes the cluster's folders, each with the owner and the rights that keep others out.
struct ClusterFolders {
    private let cluster: EmbeddedCluster

    init(_ cluster: EmbeddedCluster) {
        self.cluster = cluster
    }

    /// Makes SAGA_HOME and what leads there.
    ///
    /// - Throws: `.path`.
    func makeHome() throws(EmbeddedClusterError) {
        try Self.make(cluster.home)
    }

    /// Makes the cluster's folder and the socket's, owned by the server's user and closed to others.
    ///
    /// - Throws: `.path`, also when another user owns one of them.
    func make(for user: ServerUser) throws(EmbeddedClusterError) {
        if user.name != nil { try Self.make(parent(of: cluster.directory)) }
        try Self.makePrivate(cluster.directory, for: user)
        guard cluster.socketPath.utf8.count <= EmbeddedCluster.maximumSocketPath else {
            throw .path(
                cluster.socketPath,
                reason: "too long for a socket, which has \(EmbeddedCluster.maximumSocketPath) bytes"
            )
        }
        try Self.makePrivate(cluster.socketDirectory, for: user)
    }

    /// Checks that the socket's folder is the server's user's own: anybody may make folders in /tmp.
    ///
    /// - Throws: `.path`.
    func checkSocketDirectory() throws(EmbeddedClusterError) {
        try Self.check(cluster.socketDirectory, owner: try ServerUser.current())
    }

    /// Removes the cluster's folder and the socket's.
    ///
    /// What is in them goes as the server's user: root doesn't follow what another user may have put there.
    ///
    /// - Throws: `.path`.
    func remove() async throws(EmbeddedClusterError) {
        let user = try ServerUser.current()
        for folder in [cluster.directory, cluster.socketDirectory] where FilePath.exists(folder) {
            try Self.check(folder, owner: user)
            let contents = FilePath.names(in: folder).map { "\(folder)/\($0)" }
            if !contents.isEmpty {
                try await user.run(
                    ["/bin/rm", "-rf", "--"] + contents,
                    environment: cluster.environment,
                    limit: .seconds(60)
                )
            }
            guard rmdir(folder) == 0 || errno == ENOENT else {
                throw .path(folder, reason: "can't be removed: \(systemMessage(errno))")
            }
        }
    }

    private func parent(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "/"
    }

    private static func make(_ path: String) throws(EmbeddedClusterError) {
        var place = ""
        for part in path.split(separator: "/") {
            place += "/\(part)"
            if FilePath.isDirectory(place) { continue }
            guard mkdir(place, 0o755) == 0 || errno == EEXIST && FilePath.isDirectory(place) else {
                let code = errno
                throw .path(place, reason: "can't be made: \(systemMessage(code == EEXIST ? ENOTDIR : code))")
            }
        }
    }

    private static func makePrivate(_ path: String, for user: ServerUser) throws(EmbeddedClusterError) {
        if mkdir(path, 0o700) == 0 {
            guard user.name == nil || lchown(path, user.uid, user.gid) == 0 else {
                throw .path(path, reason: systemMessage(errno))
            }
        } else if errno != EEXIST {
            throw .path(path, reason: "can't be made: \(systemMessage(errno))")
        }
        try check(path, owner: user)
    }

    private static func check(_ path: String, owner: ServerUser) throws(EmbeddedClusterError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw .path(path, reason: systemMessage(errno)) }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw .path(path, reason: "is not a folder") }
        guard status.st_uid == owner.uid else {
            throw .path(path, reason: "belongs to another user (uid \(status.st_uid)); remove it")
        }
        guard status.st_mode & 0o077 == 0 || chmod(path, 0o700) == 0 else {
            throw .path(path, reason: "is open to other users: \(systemMessage(errno))")
        }
    }
}
