import PostgresClient
import SagaTestKit
import Testing

@Suite(.timeLimit(.minutes(2))) struct LoadTests {
    @Test func aThousandQueriesAtOnceOnFourConnections() async throws {
        try await withPool(connections: 4) { pool in
            let answers = try await withThrowingTaskGroup(of: (Int, Int, Int32).self) { group in
                for number in 0..<1_000 {
                    group.addTask {
                        let row = try await pool.query("SELECT $1, pg_backend_pid()", [.int8(Int64(number))]).rows[0]
                        return (number, try row.decode(0), try row.decode(1))
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.count == 1_000)
            #expect(answers.allSatisfy { $0.0 == $0.1 })
            #expect(Set(answers.map(\.2)).count <= 4)
        }
    }

    @Test func aParameterOf50Megabytes() async throws {
        try await withPool(connections: 1) { pool in
            let large = [UInt8](unsafeUninitializedCapacity: 50 << 20) { buffer, count in
                for index in 0..<(50 << 20) { buffer[index] = UInt8(truncatingIfNeeded: index &* 31 &+ index >> 11) }
                count = 50 << 20
            }
            // A large answer is under way while the large parameter is still being sent.
            let results = try await pool.pipeline([
                PostgresStatement("SELECT repeat('x', 30000000)"),
                PostgresStatement("SELECT $1, length($1)", [.bytea(large)]),
            ])
            #expect(try results[0].rows[0].decode(0, as: [UInt8].self).count == 30_000_000)
            #expect(try results[1].rows[0].decode(0, as: [UInt8].self) == large)
            #expect(try results[1].rows[0].decode(1) == 50 << 20)
        }
    }

    @Test func aPipelineOfTenThousandLargeAnswers() async throws {
        try await withPool(connections: 1) { pool in
            let text = String(repeating: "é", count: 1_000)
            let results = try await pool.pipeline(
                (0..<10_000).map { PostgresStatement("SELECT $1, $2", [.int4(Int32($0)), .text(text)]) }
            )
            #expect(try results.map { try $0.rows[0].decode(0, as: Int.self) } == Array(0..<10_000))
            #expect(try results.allSatisfy { try $0.rows[0].decode(1) == text })
        }
    }

    @Test func aResultOfAHundredThousandRows() async throws {
        try await withPool(connections: 1) { pool in
            let result = try await pool.query("SELECT n, n::text FROM generate_series(1, 100000) AS n")
            #expect(result.affectedRows == 100_000)
            #expect(try result.rows.allSatisfy { try String($0.decode(0, as: Int.self)) == $0.decode(1) })
        }
    }
}
