import Glibc
import SagaDatabase
import Testing

@Suite("Where the database is")
struct DatabaseLocationTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let given: String
        var option: String?
        var environment: [String: String] = [:]
        let found: String

        var testDescription: String { given }
    }

    static let rows = [
        Row(given: "nothing", found: "embedded /nowhere/.saga"),
        Row(given: "the option", option: "postgres://a/b", found: "server postgres://a/b"),
        Row(given: "a plain name", option: "orders", found: "server orders"),
        Row(
            given: "the option before everything",
            option: "host=a",
            environment: ["SAGA_DATABASE_URL": "host=b", "PGHOST": "c", "SAGA_HOME": "/d"],
            found: "server host=a"
        ),
        Row(
            given: "the variable before PG*",
            environment: ["SAGA_DATABASE_URL": "host=b", "PGHOST": "c", "SAGA_HOME": "/d"],
            found: "server host=b"
        ),
        Row(given: "PGHOST", environment: ["PGHOST": "c", "SAGA_HOME": "/d"], found: "server "),
        Row(given: "PGHOSTADDR", environment: ["PGHOSTADDR": "::1"], found: "server "),
        Row(given: "PGPORT", environment: ["PGPORT": "1"], found: "server "),
        Row(given: "PGDATABASE", environment: ["PGDATABASE": "x"], found: "server "),
        Row(given: "PGUSER", environment: ["PGUSER": "x"], found: "server "),
        Row(given: "PGSERVICE", environment: ["PGSERVICE": "x"], found: "server "),
        Row(given: "PGPASSWORD alone", environment: ["PGPASSWORD": "x"], found: "embedded /nowhere/.saga"),
        Row(
            given: "variables that are empty",
            environment: ["SAGA_DATABASE_URL": "", "PGHOST": "", "SAGA_HOME": ""],
            found: "embedded /nowhere/.saga"
        ),
        Row(given: "an absolute SAGA_HOME", environment: ["SAGA_HOME": "/d/./e//f/../g/"], found: "embedded /d/e/g"),
        Row(given: "a relative SAGA_HOME", environment: ["SAGA_HOME": "x/../y"], found: "embedded /nowhere/y"),
        Row(
            given: "an empty option",
            option: "",
            found: "--database is empty; give a libpq URL or keyword string, or leave it out"
        ),
        Row(
            given: "an unreadable option",
            option: "postgres://u:secret@[a/b",
            found: "--database is neither a libpq URL nor a keyword string nor a database's name"
        ),
        Row(
            given: "an unreadable variable",
            environment: ["SAGA_DATABASE_URL": "hots=a password=secret"],
            found: "SAGA_DATABASE_URL is neither a libpq URL nor a keyword string nor a database's name"
        ),
        Row(
            given: "a NUL",
            option: "a\0b",
            found: "--database is neither a libpq URL nor a keyword string nor a database's name"
        ),
    ]

    @Test("is decided in one order", arguments: rows)
    func resolves(row: Row) {
        #expect(resolve(row.option, row.environment, "/nowhere") == row.found)
    }

    @Test(".saga is sought upward")
    func seeksUpward() async throws {
        let home = try TemporaryHome()
        let top = home.folder
        for folder in ["a", "a/.saga", "a/b", "a/b/c"] { mkdir("\(top)/\(folder)", 0o755) }
        defer { for folder in ["a/b/c", "a/b", "a/.saga", "a", ""] { rmdir("\(top)/\(folder)") } }
        #expect(resolve(nil, [:], "\(top)/a/b/c") == "embedded \(top)/a/.saga")
        #expect(resolve(nil, [:], "\(top)/a") == "embedded \(top)/a/.saga")
        #expect(resolve(nil, ["SAGA_HOME": ".saga"], "\(top)/a/b") == "embedded \(top)/a/b/.saga")
    }

    @Test("a file named .saga is no home")
    func ignoresFiles() throws {
        let home = try TemporaryHome()
        let top = home.folder
        mkdir("\(top)/a", 0o755)
        close(open("\(top)/a/.saga", O_CREAT | O_WRONLY, 0o600))
        mkdir("\(top)/.saga", 0o755)
        defer {
            unlink("\(top)/a/.saga")
            for folder in ["a", ".saga", ""] { rmdir("\(top)/\(folder)") }
        }
        #expect(resolve(nil, [:], "\(top)/a") == "embedded \(top)/.saga")
    }

    @Test(
        "is named without its password",
        arguments: [
            ("postgres://u:secret@db.example:5433/orders", "db.example:5433/orders"),
            ("host=a,b port=1,2 dbname=x password=secret", "a:1,b:2/x"),
            ("host=/run/pg dbname=x", "/run/pg/x"),
            ("postgres://u:se@cret@h:1/x", "h:1/x"),
        ]
    )
    func describesTargets(text: String, description: String) {
        #expect(ConnectionTarget(text).description == description)
    }

    private func resolve(_ option: String?, _ environment: [String: String], _ directory: String) -> String {
        do throws(DatabaseLocationError) {
            switch try DatabaseLocation.resolve(
                option: option,
                environment: environment,
                currentDirectory: directory
            )
            {
            case .server(let text): return "server \(text)"
            case .embedded(let cluster): return "embedded \(cluster.home)"
            }
        } catch {
            return error.description
        }
    }
}
