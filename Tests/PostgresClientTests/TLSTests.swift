import Foundation
import PostgresClient
import SagaTestKit
import Testing

private let openssl = ["/usr/bin/openssl", "/usr/local/bin/openssl"]
    .first { FileManager.default.isExecutableFile(atPath: $0) }

/// The client over TLS, where bytes can wait in the TLS layer that `poll(2)` doesn't see.
@Suite(.enabled(if: openssl != nil, "openssl isn't installed"), .timeLimit(.minutes(2)))
struct TLSTests {
    /// - Parameter network: tells the servers of this suite's tests apart.
    private func withSecurePool(network: Int, _ body: (PostgresPool) async throws -> Void) async throws {
        // An address of this process's own on loopback, so that the usual port is free there.
        let address = "127.\(network).\(getpid() >> 8 & 0xFF).\(getpid() & 0xFF)"
        let server = TestPostgres(
            settings: ["listen_addresses='\(address)'"],
            hostBasedAuthentication: "local all all trust\nhostssl all all samehost trust"
        )
        let url = try await server.database()
        try makeCertificate(in: "\(try await server.directory())/data")
        try await withPool(on: url) { pool in
            _ = try await pool.query("ALTER SYSTEM SET ssl = on")
            _ = try await pool.query("SELECT pg_reload_conf()")
        }
        let secure = url.replacing(/host=[^&]*/, with: "host=\(address)") + "&sslmode=require"
        // Until the server has read its settings again it refuses TLS.
        while true {
            do {
                try await withPool(on: secure) { _ = try await $0.query("SELECT 1") }
                break
            } catch let error as PostgresError where error.kind == .connectFailed {
                await Task.yield()
            }
        }
        try await withPool(on: secure, connections: 1, body)
        try await server.stop(mode: .fast)
    }

    /// Makes a key and a certificate where the server looks for them, owned by the folder's owner.
    private func makeCertificate(in folder: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(openssl))
        process.arguments = [
            "req", "-new", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-newkey", "rsa:2048",
            "-keyout", "\(folder)/server.key", "-out", "\(folder)/server.crt",
        ]
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        let owner = try FileManager.default.attributesOfItem(atPath: folder)
        for file in ["server.key", "server.crt"] {
            try FileManager.default.setAttributes(
                [
                    .posixPermissions: 0o600, .ownerAccountID: try #require(owner[.ownerAccountID]),
                    .groupOwnerAccountID: try #require(owner[.groupOwnerAccountID]),
                ],
                ofItemAtPath: "\(folder)/\(file)"
            )
        }
    }

    @Test func answersOfEverySizeArrive() async throws {
        try await withSecurePool(network: 83) { pool in
            try await pool.expect("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", true)
            // Sizes around TLS's records of 16 KiB and libpq's reads of 8 KiB.
            let sizes = [0, 1, 8_100, 8_191, 8_192, 8_193, 16_000, 16_383, 16_384, 16_385, 24_576, 32_768, 65_537]
            for size in sizes + stride(from: 16_200, to: 16_600, by: 7) {
                let length: Int = try await pool.query("SELECT repeat('x', $1)", [.int4(Int32(size))]).rows[0]
                    .decode(0, as: [UInt8].self).count
                #expect(length == size)
            }
            let large = [UInt8](repeating: 7, count: 20 << 20)
            let results = try await pool.pipeline([
                PostgresStatement("SELECT repeat('x', 20000000)"), PostgresStatement("SELECT $1", [.bytea(large)]),
            ])
            #expect(try results[0].rows[0].decode(0, as: [UInt8].self).count == 20_000_000)
            #expect(try results[1].rows[0].decode(0) == large)
        }
    }

    @Test func cancellationWorksOverTLS() async throws {
        try await withSecurePool(network: 84) { pool in
            let error = try await postgresError {
                try await pool.query("SELECT pg_sleep(600)", timeout: .milliseconds(100))
            }
            #expect(error.kind == .timeout)
            try await pool.expect("SELECT 1", 1)
        }
    }
}
