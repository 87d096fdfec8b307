import PostgresClient
import SagaTestKit
import Testing

/// Every type that can be bound, sent and read back, and checked by the server in its own words.
@Suite struct RoundTripTests {
    /// Binds a value, has the server compare it with a literal, and decodes it again.
    private func roundTrip<T: PostgresDecodable & Equatable>(
        _ cases: [(value: PostgresValue, type: String, literal: String, decoded: T)]
    ) async throws {
        try await withPool { pool in
            for (value, type, literal, decoded) in cases {
                let row = try #require(
                    await pool.query(
                        "SELECT $1, $1::\(type)::text IS NOT DISTINCT FROM (\(literal))::\(type)::text",
                        [value]
                    ).rows.first
                )
                #expect(try row.decode(0, as: T.self) == decoded, "\(type) \(literal)")
                #expect(try row.decode(1, as: Bool.self), "the server doesn't see \(type) \(literal)")
            }
        }
    }

    @Test func booleans() async throws {
        try await roundTrip([
            (.bool(true), "boolean", "true", true as Bool?), (.bool(false), "boolean", "false", false),
            (.bool(nil), "boolean", "NULL", nil),
        ])
    }

    @Test func integers() async throws {
        try await roundTrip([
            (.int2(.min), "smallint", "-32768", Int16.min as Int16?), (.int2(.max), "smallint", "32767", .max),
            (.int2(nil), "smallint", "NULL", nil),
        ])
        try await roundTrip([
            (.int4(.min), "integer", "-2147483648", Int32.min as Int32?), (.int4(.max), "integer", "2147483647", .max),
            (.int4(nil), "integer", "NULL", nil), (.int2(-1), "smallint", "-1", -1),
        ])
        try await roundTrip([
            (.int8(.min), "bigint", "-9223372036854775808", Int64.min as Int64?),
            (.int8(.max), "bigint", "9223372036854775807", .max), (.int8(nil), "bigint", "NULL", nil),
            (.int4(7), "integer", "7", 7),
        ])
        try await roundTrip([
            (.int8(5), "bigint", "5", 5 as Int?), (.int4(5), "integer", "5", 5), (.int2(5), "smallint", "5", 5),
        ])
    }

    @Test func doubles() async throws {
        try await roundTrip([
            (.double(0.1), "double precision", "0.1", 0.1 as Double?),
            (.double(-.infinity), "double precision", "'-infinity'", -.infinity),
            (.double(.greatestFiniteMagnitude), "double precision", "1.7976931348623157e308", .greatestFiniteMagnitude),
            (.double(.leastNonzeroMagnitude), "double precision", "5e-324", .leastNonzeroMagnitude),
            (.double(nil), "double precision", "NULL", nil),
        ])
        try await withPool { pool in
            let notANumber: Double = try await pool.value("SELECT $1", [.double(.nan)])
            #expect(notANumber.isNaN)
            let real: Double = try await pool.value("SELECT 1.5::real")
            #expect(real == 1.5)
        }
    }

    @Test func texts() async throws {
        let mixed = "naïve 日本 👩‍👩‍👧‍👦 '\"\\ \u{1} tab\t"
        try await roundTrip([
            (.text("abc"), "text", "'abc'", "abc" as String?), (.text(""), "text", "''", ""),
            (.text(nil), "text", "NULL", nil),
            (.text(mixed), "text", "E'naïve 日本 👩‍👩‍👧‍👦 ''\"\\\\ \\x01 tab\\t'", mixed),
        ])
        try await withPool { pool in
            try await pool.execute(script: "CREATE TYPE mood AS ENUM ('glad'); CREATE DOMAIN word AS varchar(9);")
            let row = try #require(
                await pool.query("SELECT 'glad'::mood, 'w'::word, 'n'::name, 'c'::char(2), 'x'::\"char\"").rows.first
            )
            #expect(try (0..<5).map { try row.decode($0, as: String.self) } == ["glad", "w", "n", "c ", "x"])
            #expect(try row.decode(4, as: UInt8.self) == UInt8(ascii: "x"))
            let error = try await postgresError { try await pool.query("SELECT $1", [.text("a\0b")]) }
            #expect(error.kind == .server(sqlState: "22021"))
        }
    }

    @Test func bytes() async throws {
        let all = [UInt8](0...255)
        try await roundTrip([
            (.bytea(all), "bytea", "decode('\(all.map { hex($0) }.joined())', 'hex')", all as [UInt8]?),
            (.bytea([]), "bytea", "''", []), (.bytea(nil), "bytea", "NULL", nil),
        ])
        try await roundTrip([
            (
                .json(.init(utf8: "{\"a\": 0.10 }")), "json", "'{\"a\": 0.10 }'",
                [UInt8](utf8: "{\"a\": 0.10 }") as [UInt8]?
            ),
            (.json(nil), "json", "NULL", nil),
            (
                .jsonb(.init(utf8: "{\"b\":1,\"a\":2}")), "jsonb", "'{\"a\":2,\"b\":1}'",
                .init(utf8: "{\"a\": 2, \"b\": 1}")
            ),
            (.jsonb(nil), "jsonb", "NULL", nil), (.text("é"), "text", "'é'", .init(utf8: "é")),
        ])
    }

    @Test func uuids() async throws {
        let text = "018f6f5c-1a2b-7cde-8f00-0123456789ab"
        try await roundTrip([
            (.uuid(try #require(PostgresUUID(text))), "uuid", "'\(text)'", PostgresUUID(text)),
            (.uuid(nil), "uuid", "NULL", nil),
        ])
    }

    @Test func timestamps() async throws {
        func at(_ microseconds: Int64) -> PostgresTimestamp { PostgresTimestamp(microsecondsSince1970: microseconds) }
        try await roundTrip([
            (.timestamptz(at(0)), "timestamptz", "'1970-01-01 00:00:00Z'", at(0) as PostgresTimestamp?),
            (
                .timestamptz(at(1_732_104_000_123_456)), "timestamptz", "'2024-11-20 12:00:00.123456Z'",
                at(1_732_104_000_123_456)
            ),
            (.timestamptz(at(-1)), "timestamptz", "'1969-12-31 23:59:59.999999Z'", at(-1)),
            (.timestamptz(.infinity), "timestamptz", "'infinity'", .infinity),
            (.timestamptz(.negativeInfinity), "timestamptz", "'-infinity'", .negativeInfinity),
            (.timestamptz(nil), "timestamptz", "NULL", nil),
        ])
        try await withPool { pool in
            let error = try await postgresError { try await pool.query("SELECT $1", [.timestamptz(at(.min + 1))]) }
            #expect(error.kind == .server(sqlState: "22008"))
        }
    }

    @Test func arrays() async throws {
        try await roundTrip([
            (.boolArray([true, nil, false]), "boolean[]", "'{t,NULL,f}'", [true, nil, false] as [Bool?]),
            (.boolArray([]), "boolean[]", "'{}'", []),
        ])
        try await roundTrip([(.int2Array([1, nil]), "smallint[]", "'{1,NULL}'", [1, nil] as [Int16?])])
        try await roundTrip([(.int4Array([1, nil]), "integer[]", "'{1,NULL}'", [1, nil] as [Int32?])])
        try await roundTrip([(.int8Array([1, nil]), "bigint[]", "'{1,NULL}'", [1, nil] as [Int64?])])
        try await roundTrip([(.int8Array([1, 2]), "bigint[]", "'{1,2}'", [1, 2])])
        try await roundTrip([
            (.doubleArray([0.5, nil]), "double precision[]", "'{0.5,NULL}'", [0.5, nil] as [Double?])
        ])
        try await roundTrip([
            (.textArray(["a,\"}", nil, "", "é"]), "text[]", "ARRAY['a,\"}', NULL, '', 'é']", ["a,\"}", nil, "", "é"]),
            (.textArray([]), "text[]", "'{}'", [] as [String?]),
        ])
        let uuid = try #require(PostgresUUID("018f6f5c-1a2b-7cde-8f00-0123456789ab"))
        try await roundTrip([(.uuidArray([uuid, nil]), "uuid[]", "'{\(uuid),NULL}'", [uuid, nil] as [PostgresUUID?])])
        try await roundTrip([
            (
                .timestamptzArray([.infinity, nil]), "timestamptz[]", "'{infinity,NULL}'",
                [PostgresTimestamp.infinity, nil]
            )
        ])
        try await roundTrip([
            (
                .jsonArray([.init(utf8: "{\"a\":1}"), nil]), "json[]", "ARRAY['{\"a\":1}', NULL]",
                [[UInt8](utf8: "{\"a\":1}"), nil]
            ),
            (
                .jsonbArray([.init(utf8: "1"), nil]), "jsonb[]", "ARRAY['1', NULL]",
                [[UInt8](utf8: "1"), nil] as [[UInt8]?]
            ),
            (.byteaArray([[0, 255], nil, []]), "bytea[]", "ARRAY['\\x00ff', NULL, '']", [[0, 255], nil, []]),
        ])
    }

    @Test func hugeArrays() async throws {
        try await withPool { pool in
            let numbers = (0..<10_000).map { $0 % 7 == 0 ? nil : Int64($0) }
            let texts = (0..<10_000).map { $0 % 5 == 0 ? nil : "text \($0) é" }
            let row = try #require(
                await pool.query(
                    "SELECT $1, $2, (SELECT count(*) FROM unnest($1, $2) AS t(n, x) WHERE n IS NOT NULL AND x IS NOT NULL)",
                    [.int8Array(numbers), .textArray(texts)]
                ).rows.first
            )
            #expect(try row.decode(0, as: [Int64?].self) == numbers)
            #expect(try row.decode(1, as: [String?].self) == texts)
            #expect(try row.decode(2) == (0..<10_000).count { $0 % 7 != 0 && $0 % 5 != 0 })
        }
    }

    @Test func untypedNullTakesTheTypeOfItsPlace() async throws {
        try await withPool { pool in
            let sum: Int64? = try await pool.value("SELECT 1::bigint + $1", [.null])
            #expect(sum == nil)
        }
    }

    @Test func manyParametersAndEmptyStatement() async throws {
        try await withPool { pool in
            let sql = "SELECT " + (1...1_000).map { "$\($0)::int" }.joined(separator: " + ")
            let sum: Int32 = try await pool.value(sql, (1...1_000).map { .int4(Int32($0)) })
            #expect(sum == 500_500)
            let nothing = try await pool.query("")
            #expect(nothing.rows.isEmpty)
            #expect(nothing.columns == [])
            #expect(nothing.affectedRows == 0)
        }
    }

    private func hex(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
    }
}

/// What a caller gets who asks for something that isn't there.
@Suite struct DecodingTests {
    private enum Status: String, PostgresDecodable {
        case running
    }

    @Test func byNameAndRawValue() async throws {
        try await withPool { pool in
            let result = try await pool.query("SELECT 1 AS \"Id\", 'running' AS status, 'lost' AS other")
            let row = try #require(result.rows.first)
            #expect(result.columns == ["Id", "status", "other"])
            #expect(result.affectedRows == 1)
            #expect(row.columnCount == 3)
            #expect(try row.decode("Id") == 1)
            #expect(try row.decode("status") == Status.running)
            let unknown = try #require(throws: PostgresError.self) { try row.decode("other", as: Status.self) }
            #expect(unknown == PostgresError(.decoding, "column \"other\" holds lost, which no Status is"))
        }
    }

    @Test func mismatchesNameTheColumn() async throws {
        try await withPool { pool in
            let row = try #require(
                await pool.query("SELECT 1::bigint AS n, NULL::text AS t, ARRAY[1, NULL] AS a, ARRAY[[1],[2]] AS m")
                    .rows.first
            )
            func message<T: PostgresDecodable>(_ column: String, as: T.Type) throws -> String {
                let error = try #require(throws: PostgresError.self) { try row.decode(column, as: T.self) }
                #expect(error.kind == .decoding)
                return error.message
            }
            #expect(try message("n", as: String.self) == "column \"n\" of type bigint can't be decoded as String")
            #expect(try message("n", as: Int32.self) == "column \"n\" of type bigint can't be decoded as Int32")
            #expect(
                try message("n", as: [Int64].self) == "column \"n\" of type bigint can't be decoded as Array<Int64>"
            )
            #expect(try message("t", as: String.self) == "column \"t\" is null")
            #expect(try message("a", as: [Int32].self) == "column \"a\" is null")
            #expect(try message("a", as: [String?].self) == "column \"a\" of type integer can't be decoded as String")
            #expect(
                try message("m", as: [Int32].self) == "column \"m\" of type integer[] can't be decoded as Array<Int32>"
            )
            #expect(try message("N", as: Int64.self) == "no column \"N\" in the row")
            let error = try #require(throws: PostgresError.self) { try row.decode(4, as: Int.self) }
            #expect(error == PostgresError(.decoding, "no column 4: the row has 4"))
            #expect(throws: PostgresError.self) { try row.decode(-1, as: Int.self) }
        }
    }

    @Test func requestsThatCannotBeSentAreRefused() async throws {
        try await withPool { pool in
            let nul = try await postgresError { try await pool.query("SELECT 1\0; DROP TABLE x") }
            #expect(nul == PostgresError(.invalidRequest, "the SQL contains a NUL"))
            let many = [PostgresValue](repeating: .int2(0), count: 65_536)
            let error = try await postgresError {
                try await pool.transaction([PostgresStatement("SELECT 1"), PostgresStatement("SELECT 2", many)])
            }
            #expect(error.kind == .invalidRequest)
            #expect(error.statementIndex == 1)
        }
    }
}
