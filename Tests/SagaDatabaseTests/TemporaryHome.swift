import Glibc

@testable import SagaDatabase

/// A folder for a SAGA_HOME of a test's own.
struct TemporaryHome {
    let folder: String
    let environment: [String: String]

    init() throws {
        var template = Array("/tmp/saga-home-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw EmbeddedClusterError.path("/tmp", reason: systemMessage(errno)) }
        folder = template.withUnsafeBufferPointer { String(cString: Array($0)) }
        environment = ["PATH": getenv("PATH").map { String(cString: $0) } ?? ""]
    }

    var cluster: EmbeddedCluster { EmbeddedCluster(home: "\(folder)/.saga", environment: environment) }

    /// Ends what a test left and removes the folder.
    func remove() async throws {
        try await cluster.erase()
        for name in ["users", "start.lock"] { unlink("\(folder)/.saga/\(name)") }
        rmdir("\(folder)/.saga")
        rmdir(folder)
    }

    /// Runs the body with a home of its own and cleans up behind it.
    static func with(_ body: (TemporaryHome) async throws -> Void) async throws {
        let home = try TemporaryHome()
        do {
            try await body(home)
        } catch {
            try await home.remove()
            throw error
        }
        try await home.remove()
    }
}
