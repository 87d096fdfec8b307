import Foundation
import Testing

@testable import saga

/// The built programs, all of them at once.
@Suite(.serialized, .timeLimit(.minutes(4))) struct DemoRunTests {
    @Test func fortyOrdersEndAsTheyShouldAndTheBooksAgree() async throws {
        let folder = try DemoFolder()
        let run = try await folder.demo().ending()
        #expect(run.status == 0, "\(run.output)\(run.errors)")
        let lines = run.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(lines.first == "Starting PostgreSQL, four services and sagad (logs in .saga/demo)")
        let table = try #require(lines.firstIndex(of: "What became of them"))
        #expect(
            lines[table...].prefix(8) == [
                "What became of them",
                "  IN STORE                       ORDERS  COMPLETED  COMPENSATED  FAILED ON",
                "  nothing                            22         22",
                "  the card is declined                4                       4  charge_payment: CardDeclined",
                "  an article is sold out              4                       4  reserve_inventory: OutOfStock",
                "  no carrier for the country          4                       4  create_shipment: NoCarrier",
                "  the charge's answers are lost       2                       2  charge_payment: Saga.ConnectionLost",
                "  no carrier, a refund fails          4                       4  create_shipment: NoCarrier",
            ]
        )
        let books = try #require(lines.firstIndex(of: "What the services' books hold"))
        #expect(
            lines[books...].prefix(7) == [
                "What the services' books hold",
                "  SERVICE       HELD  UNDONE",
                "  inventory       22      14  reservations, of 67 units of stock",
                "  payment         22      10  charges, of 2110.50 EUR",
                "  shipping        22       0  shipments",
                "  notification    22       0  confirmations",
                "  They agree with the ends: each completed order has one of each held, all others have none.",
            ]
        )
        #expect(try timeline(in: lines) == Self.lostAnswer)
        #expect(lines.allSatisfy { $0.displayWidth <= 100 && !$0.contains("\u{1B}") })
        #expect(try await folder.remains() == [])
        await folder.remove()
    }

    /// Event, step and attempt of each line of the timeline.
    private func timeline(in lines: [String]) throws -> [String] {
        let title = try #require(lines.firstIndex(of: "One of them, order-03: the charge's answers are lost"))
        return lines[(title + 2)...].prefix { !$0.isEmpty }.map { line in
            line.split(separator: " ").dropFirst().prefix(3).joined(separator: " ")
        }
    }

    private static let lostAnswer = [
        "SagaStarted",
        "StepStarted reserve_inventory 1", "StepSucceeded reserve_inventory 1",
        "StepStarted charge_payment 1", "StepAttemptFailed charge_payment 1",
        "StepStarted charge_payment 2", "StepAttemptFailed charge_payment 2",
        "StepStarted charge_payment 3", "StepAttemptFailed charge_payment 3",
        "StepStarted charge_payment 4", "StepFailed charge_payment 4",
        "SagaCompensating charge_payment Saga.ConnectionLost",
        "CompensationStarted charge_payment 1", "CompensationSucceeded charge_payment 1",
        "CompensationStarted reserve_inventory 1", "CompensationSucceeded reserve_inventory 1",
        "SagaCompensated",
    ]

    @Test func keptDemoCanBePlayedWithUntilCtrlC() async throws {
        let folder = try DemoFolder()
        let demo = try folder.demo("--orders", "2", "--keep")
        #expect(try await demo.waitForOutput("--wait"), "\(demo.outputSoFar)")
        // The last command may be written in two lines.
        #expect(try await demo.waitForOutput("my-order.json --wait \\\n      --database 'postgresql:///"))
        let other = try await folder.demo().ending()
        #expect(other.status == 1)
        #expect(other.errors == "saga: another saga demo is running in \(folder.home)\n")

        let commands = try #require(demo.outputSoFar.components(separatedBy: "terminal:\n").last)
            .replacingOccurrences(of: "\\\n", with: " ").split(separator: "\n").map(String.init)
        #expect(commands.count == 3)
        var ends: [Int32] = []
        for command in commands { ends.append(try await folder.paste(command).ending().status) }
        #expect(ends == [0, 0, 0])

        demo.signal(SIGINT)
        let run = try await demo.ending()
        #expect(run.status == 0, "\(run.errors)")
        #expect(try await folder.remains() == [])
        await folder.remove()
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func stoppedDemoStopsWhatItHasStarted(_ signal: Int32) async throws {
        let folder = try DemoFolder()
        let demo = try folder.demo("--orders", "500")
        #expect(try await demo.waitForOutput("500 orders"))
        demo.signal(signal)
        let run = try await demo.ending()
        #expect(run.status == 128 + signal)
        #expect(run.errors.hasSuffix("\nsaga: interrupted; all that the demo had started is stopped\n"))
        #expect(try await folder.remains() == [])
        await folder.remove()
    }

    @Test func killedDemoLeavesNothingRunningAndNothingInTheWay() async throws {
        let folder = try DemoFolder()
        let demo = try folder.demo("--orders", "500")
        #expect(try await demo.waitForOutput("500 orders"))
        #expect(Set(folder.processes()).isSuperset(of: ["order-demo", "postgres", "saga", "sagad"]))
        demo.signal(SIGKILL)
        _ = try await demo.ending()
        let next = try await folder.demo("--orders", "2").ending()
        #expect(next.status == 0, "\(next.output)\(next.errors)")
        #expect(try await folder.remains() == [])
        await folder.remove()
    }

    @Test func programAloneSaysWhatIsMissing() async throws {
        let folder = try DemoFolder()
        let bundle = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let program = "\(folder.path)/saga"
        try FileManager.default.copyItem(atPath: bundle.appendingPathComponent("saga").path, toPath: program)
        let run = try await folder.demo(program: program).ending()
        #expect(run.status == 1)
        let here = URL(fileURLWithPath: folder.path).resolvingSymlinksInPath().path
        #expect(
            run.errors
                == "saga: the demo needs sagad beside saga, but there is none in \(here): build all programs\n"
        )
        #expect(!FileManager.default.fileExists(atPath: folder.home))
        await folder.remove()
    }

    @Test func folderThatCannotBeMadeIsOneLine() async throws {
        let folder = try DemoFolder()
        _ = FileManager.default.createFile(atPath: "\(folder.path)/.saga", contents: nil)
        let run = try await folder.demo().ending()
        #expect(run.status == 1)
        #expect(run.errors == "saga: can't make \(folder.home): Not a directory\n")
        await folder.remove()
    }

    @Test(arguments: ["0", "501", "many"])
    func numberOfOrdersThatIsNone(_ number: String) async throws {
        let folder = try DemoFolder()
        #expect(try await folder.demo("--orders", number).ending().status == 64)
        #expect(!FileManager.default.fileExists(atPath: folder.home))
        await folder.remove()
    }
}
