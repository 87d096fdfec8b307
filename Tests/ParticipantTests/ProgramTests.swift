import Foundation
import JSON
import NIOCore
import NIOPosix
import SagaTestKit
import Testing

/// The program itself: how it starts, what it says, how it ends.
@Suite(.serialized, .timeLimit(.minutes(3))) struct ProgramTests {
    @Test func allServicesAreAnnouncedInOneLine() async throws {
        let process = try await DemoProcess(
            ["--all", "--ports", "0,0,0,0", "--database", try await TestPostgres.shared.database()])
        let announcement = try #require(process.announcement)
        let pattern = #/\{"inventory":\d+,"payment":\d+,"shipping":\d+,"notification":\d+\}/#
        #expect(announcement.wholeMatch(of: pattern) != nil)
        #expect(Set(try RunningServices.ports(announcement).values).count == 4)
        process.signal(SIGINT)
        #expect(await process.ending() == DemoProcess.Ending(status: 0, standardError: ""))
    }

    @Test func oneServiceServesItsOwnPathsOnly() async throws {
        let database = try await TestPostgres.shared.database()
        let process = try await DemoProcess(["--service", "shipping", "--port", "0", "--database", database])
        let ports = try RunningServices.ports(process.announcement)
        #expect(ports.keys.sorted() == ["shipping"])
        let services = RunningServices(process: process, ports: ports, databaseURL: database)
        #expect(try await services.get("shipping", "/health").status == 200)
        #expect(try await services.post("shipping", "/charges", key: "k", [:]).status == 404)
        #expect(await process.stop() == DemoProcess.Ending(status: 0, standardError: ""))
    }

    @Test func whatIsHeldOutlivesTheProgram() async throws {
        let database = try await TestPostgres.shared.database()
        let shipment: JSON = ["orderId": "o-1", "country": "DE"]
        for _ in 0..<2 {
            let process = try await DemoProcess(["--service", "shipping", "--port", "0", "--database", database])
            let services = RunningServices(
                process: process,
                ports: try RunningServices.ports(process.announcement),
                databaseURL: database
            )
            #expect(
                try await services.post("shipping", "/shipments", key: "a", shipment)
                    == RunningServices.Reply(201, ["shipmentId": "s-1", "trackingNumber": "DE1000001"])
            )
            #expect(await process.stop().status == 0)
        }
    }

    @Test func aCallInFlightIsAnsweredBeforeTheEnd() async throws {
        let database = try await TestPostgres.shared.database()
        let process = try await DemoProcess(
            ["--service", "payment", "--port", "0", "--hold", "3600s", "--database", database])
        let services = RunningServices(
            process: process,
            ports: try RunningServices.ports(process.announcement),
            databaseURL: database
        )
        async let reply = services.post(
            "payment",
            "/charges",
            key: "a",
            ["orderId": "o-1", "card": "slow", "amountCents": 5]
        )
        while try await services.get("payment", "/books").body["totals"]?["held"] != 1 {
            try await Task.sleep(for: .milliseconds(5))
        }
        process.signal(SIGTERM)
        #expect(try await reply == RunningServices.Reply(201, ["chargeId": "c-1", "amountCents": 5]))
        #expect(await process.ending() == DemoProcess.Ending(status: 0, standardError: ""))
    }

    @Test func aPortInUseIsOneLineAndExitOne() async throws {
        let taken = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(taken.localAddress?.port)
        let process = try await DemoProcess(
            ["--all", "--ports", "0,0,\(port),0", "--database", try await TestPostgres.shared.database()])
        #expect(process.announcement == nil)
        let ending = await process.ending()
        #expect(ending.status == 1)
        #expect(ending.standardError == "order-demo: shipping: port \(port) is in use\n")
        try await taken.close()
    }

    @Test func anUnreachableDatabaseIsOneLineAndExit69() async throws {
        let process = try await DemoProcess(
            ["--all", "--ports", "0,0,0,0", "--database", "postgresql://127.0.0.1:1/nowhere"])
        #expect(process.announcement == nil)
        let ending = await process.ending()
        #expect(ending.status == 69)
        #expect(ending.standardError.hasPrefix("order-demo: the database can't be used: "))
        #expect(ending.standardError.split(separator: "\n").count == 1)
    }

    @Test(arguments: [
        [], ["--all", "--service", "payment"], ["--all", "--port", "1"], ["--all", "--ports", "1,2,3"],
        ["--all", "--ports", "1,2,3,x"], ["--service", "bakery"], ["--service", "payment", "--port", "70000"],
        ["--all", "--error-rate", "2"], ["--all", "--lost-rate", "nan"], ["--all", "--delay", "5"],
        ["--all", "--hold", "99999999999999999999s"], ["--all", "--stock", "-1"],
    ])
    func wrongUsageIsExit64(_ arguments: [String]) async throws {
        let process = try await DemoProcess(["--database", ""] + arguments)
        #expect(process.announcement == nil)
        #expect(await process.ending().status == 64)
    }

    @Test func fourProcessesMayShareAFreshDatabase() async throws {
        let database = try await TestPostgres.shared.database()
        let endings = try await withThrowingTaskGroup(of: DemoProcess.Ending.self) { group in
            for name in ["inventory", "payment", "shipping", "notification"] {
                group.addTask {
                    let process = try await DemoProcess(["--service", name, "--port", "0", "--database", database])
                    #expect(process.announcement != nil)
                    return await process.stop()
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(endings == Array(repeating: DemoProcess.Ending(status: 0, standardError: ""), count: 4))
    }
}
