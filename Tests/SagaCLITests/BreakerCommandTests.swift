import Foundation
import JSON
import SagaCore
import SagaEngine
import SagaPostgres
import Testing

@Suite struct BreakerCommandTests {
    typealias Run = SagaProgram.Run

    private static let limited = #"""
        {"saga": "pay", "services": {"bank": {"url": "http://127.0.0.1:8", "maxConcurrent": 4,
           "rateLimit": {"calls": 100, "per": "1s"}, "whenOpen": "fail"}, "quiet": {"url": "http://q",
           "circuitBreaker": false}},
         "steps": [
          {"name": "a", "action": {"http": {"service": "bank", "path": "/a"}}, "compensation": "none"},
          {"name": "b", "action": {"http": {"service": "quiet", "path": "/b"}}, "compensation": "none"}]}
        """#

    /// Words of a table's lines, since the widths of its columns don't matter here; how long ago something was, too.
    private func words(_ run: Run) -> [String] {
        run.output.split(separator: "\n").map {
            $0.split(separator: " ").joined(separator: " ").replacing(#/\d+\w+ ago|just now|now/#, with: "AGO")
        }
    }

    @Test func withoutAServiceItSaysHowOneComesToBe() async throws {
        let program = try await SagaProgram.make()
        #expect(
            try await program.run("breaker", "list")
                == Run(0, "No service is known yet: apply a definition that calls one\n"))
        #expect(try await program.run("breaker", "list", "--format", "json") == Run(0, "[]\n"))
        #expect(try await program.run("breaker", "events") == Run(0))
        #expect(try await program.run("breaker", "events", "--format", "json") == Run(0))
        #expect(
            try await program.run("breaker", "close", "shop", "--reason", "r")
                == Run(1, error: "saga: no service is named shop; none is known yet\n"))
        await program.remove()
    }

    @Test func eachCommandMovesTheBreakerAndSaysSo() async throws {
        let program = try await SagaProgram.withDefinitions()
        func move(_ command: String, _ more: String...) async throws -> Run {
            try await program.start(["breaker", command, "shop", "--reason", "upkeep", "--actor", "ann"] + more)
                .ending()
        }
        let place = "shop at http://127.0.0.1:9"
        #expect(try await move("force-open") == Run(0, "\(place): BreakerForcedOpen, was CLOSED\n"))
        #expect(try await move("force-open") == Run(0, "\(place): is FORCED_OPEN already\n"))
        #expect(try await move("disable") == Run(0, "\(place): BreakerDisabled, was FORCED_OPEN\n"))
        #expect(try await move("close") == Run(0, "\(place): BreakerClosed, was DISABLED\n"))
        #expect(try await move("reset") == Run(0, "\(place): BreakerReset, was CLOSED\n"))
        #expect(
            try await move("close", "--format", "json")
                == Run(0, #"{"service":"shop","url":"http://127.0.0.1:9","changed":false,"event":null}"# + "\n"))
        #expect(
            try await move("force-open", "--format", "json")
                == Run(
                    0,
                    #"{"service":"shop","url":"http://127.0.0.1:9","changed":true,"event":"BreakerForcedOpen"}"# + "\n"
                ))
        let events = try await program.run("breaker", "events", "shop").normalized
        #expect(
            words(events) == [
                "TIME shop BreakerForcedOpen CLOSED to FORCED_OPEN, by ann, upkeep",
                "TIME shop BreakerDisabled FORCED_OPEN to DISABLED, by ann, upkeep",
                "TIME shop BreakerClosed DISABLED to CLOSED, by ann, upkeep",
                "TIME shop BreakerReset CLOSED to CLOSED, by ann, upkeep",
                "TIME shop BreakerForcedOpen CLOSED to FORCED_OPEN, by ann, upkeep",
            ])
        let last = try await program.run("breaker", "events", "--limit", "2", "--format", "json").normalized
        #expect(
            last.output.replacing(#/service-\d+/#, with: "service-N") == """
                {"specversion":"1.0","id":"service-N/0000000004","source":"/services/shop","type":"saga.BreakerReset",\
                "subject":"shop","time":"TIME","datacontenttype":"application/json",\
                "sequence":"0000000004","serviceurl":"http://127.0.0.1:9","data":{"from":"CLOSED","to":"CLOSED","actor":"ann","reason":"upkeep"}}
                {"specversion":"1.0","id":"service-N/0000000005","source":"/services/shop",\
                "type":"saga.BreakerForcedOpen","subject":"shop","time":"TIME",\
                "datacontenttype":"application/json","sequence":"0000000005","serviceurl":"http://127.0.0.1:9","data":{"from":"CLOSED",\
                "to":"FORCED_OPEN","actor":"ann","reason":"upkeep"}}

                """)
        await program.remove()
    }

    @Test func listShowsLimitsAndWhoWaits() async throws {
        let program = try await SagaProgram.make()
        try program.write(Self.limited, to: "pay.json")
        #expect(try await program.run("apply", "pay.json").status == 0)
        _ = try await program.startSaga("pay")
        _ = try await program.pool.query(
            """
            UPDATE saga.state SET due_at = 'infinity', waits_for = (SELECT id FROM saga.service WHERE name = 'bank'),
                waits_attempts = 0, waits_since = now()
            """)
        let list = try await program.run("breaker", "list")
        #expect(
            words(list) == [
                "SERVICE STATE SINCE FAILED SLOW IN USE RATE WAITING URL",
                "bank CLOSED AGO 0/0 0/0 0/4 100/1s 1 http://127.0.0.1:8", "quiet none http://q",
            ])
        #expect(
            try await program.run("breaker", "list", "--format", "json").normalized.output == """
                [{"service":"bank","url":"http://127.0.0.1:8","state":"CLOSED","since":"TIME","nextProbe":null,\
                "calls":0,"failures":0,"slowCalls":0,"heldOffUntil":null,"maxConcurrent":4,"held":0,\
                "rateLimit":{"calls":100,"per":"1s"},"whenOpen":"fail","waiting":1,"unreadable":null},\
                {"service":"quiet","url":"http://q","state":null,"since":null,"nextProbe":null,"calls":0,\
                "failures":0,"slowCalls":0,"heldOffUntil":null,"maxConcurrent":null,"held":null,"rateLimit":null,\
                "whenOpen":"defer","waiting":0,"unreadable":null}]

                """)
        await program.remove()
    }

    @Test func wrongInputIsSaid() async throws {
        let program = try await SagaProgram.withDefinitions()
        _ = try await program.pool.query(
            """
            INSERT INTO saga.service (name, url, since, state, settings, document)
            SELECT name, 'http://elsewhere', since, state, settings, document FROM saga.service WHERE name = 'shop'
            """)
        #expect(
            try await program.run("breaker", "close", "shpo", "--reason", "r")
                == Run(1, error: "saga: no service is named shpo; known are bank, shop\n"))
        #expect(
            try await program.run("breaker", "events", "shpo")
                == Run(1, error: "saga: no service is named shpo; known are bank, shop\n"))
        #expect(
            try await program.run("breaker", "close", "shop", "--reason", "r")
                == Run(
                    1,
                    error: "saga: 2 services are named shop: say which with --url, of http://127.0.0.1:9, "
                        + "http://elsewhere\n"))
        #expect(
            try await program.run("breaker", "close", "shop", "--url", "http://nowhere", "--reason", "r")
                == Run(1, error: "saga: no service is named shop at http://nowhere; known are bank, shop\n"))
        #expect(
            try await program.run("breaker", "disable", "shop", "--url", "http://elsewhere", "--reason", "r")
                == Run(0, "shop at http://elsewhere: BreakerDisabled, was CLOSED\n"))
        for wrong in [
            ["force-open", "shop"], ["close"], ["reset", "shop", "--reason", ""], ["events", "--limit", "0"],
            ["events", "--limit", "x"], ["ajar", "shop"],
        ] {
            #expect(try await program.start(["breaker"] + wrong).ending().status == 64, "\(wrong)")
        }
        await program.remove()
    }

    @Test func statusOpensWithServicesThatAreHeldBack() async throws {
        let program = try await SagaProgram.withDefinitions()
        #expect(try await program.run("status").output.contains("Services held back") == false)
        #expect(try await program.run("breaker", "force-open", "shop", "--reason", "r").status == 0)
        let run = try await program.run("status")
        #expect(
            Array(words(run).prefix(3)) == [
                "Services held back (saga breaker list)", "SERVICE BREAKER SINCE URL",
                "shop FORCED_OPEN AGO http://127.0.0.1:9",
            ])
        let document = try JSON.parse(try await program.run("status", "--format", "json").output)
        let breakers = try #require(document["breakers"]?.arrayValue)
        #expect(breakers.map { $0["service"] } == ["bank", "shop"])
        #expect(breakers.map { $0["state"] } == ["CLOSED", "FORCED_OPEN"])
        #expect(breakers[1]["nextProbe"] == .null)
        await program.remove()
    }

    @Test func applyTellsWhenAServiceHadOtherSettings() async throws {
        let program = try await SagaProgram.make()
        try program.write(Self.limited, to: "pay.json")
        #expect(try await program.run("apply", "pay.json").error == "")
        #expect(try await program.run("apply", "pay.json").error == "")
        #expect(try await program.run("breaker", "force-open", "bank", "--reason", "r").status == 0)
        try program.write(
            Self.limited.replacingOccurrences(of: #""maxConcurrent": 4"#, with: #""maxConcurrent": 9"#), to: "pay.json")
        let changed = try await program.run("apply", "pay.json")
        #expect(changed.status == 0)
        #expect(
            changed.error == "warning: service bank at http://127.0.0.1:8 had other limits or another circuit "
                + "breaker; those applied last hold for every definition that calls it\n")
        // What its breaker does is nobody's setting.
        let list = try JSON.parse(try await program.run("breaker", "list", "--format", "json").output)
        #expect(list.arrayValue?.first?["maxConcurrent"] == 9)
        #expect(list.arrayValue?.first?["state"] == "FORCED_OPEN")
        await program.remove()
    }

    /// Written by a newer program, or by hand: the others are shown all the same, and a reset mends it.
    @Test func aServiceThatCantBeReadHidesNoOther() async throws {
        let program = try await SagaProgram.withDefinitions()
        _ = try await program.pool.query("UPDATE saga.service SET document = '[]' WHERE name = 'shop'")
        let fault = "saga.service: the state isn't an object"
        let list = try await program.run("breaker", "list")
        #expect(list.status == 0)
        #expect(
            words(list) == [
                "SERVICE STATE SINCE FAILED SLOW URL", "bank CLOSED AGO 0/0 0/0 http://127.0.0.1:9",
                "shop unreadable http://127.0.0.1:9",
                "shop: \(fault); saga breaker reset makes it a new service",
            ])
        let document = try JSON.parse(try await program.run("breaker", "list", "--format", "json").output)
        #expect(document.arrayValue?.map { $0["unreadable"] } == [.null, .string(fault)])
        #expect(document.arrayValue?.last?["state"] == .null)
        #expect(try await program.run("status").status == 0)
        #expect(
            try await program.run("breaker", "close", "shop", "--reason", "r")
                == Run(1, error: "saga: shop: \(fault); only reset mends it\n"))
        #expect(
            try await program.run("breaker", "reset", "shop", "--reason", "r")
                == Run(0, "shop at http://127.0.0.1:9: BreakerReset, was unreadable\n"))
        #expect(
            try await program.run("breaker", "close", "shop", "--reason", "r")
                == Run(0, "shop at http://127.0.0.1:9: is CLOSED already\n"))
        await program.remove()
    }
}
