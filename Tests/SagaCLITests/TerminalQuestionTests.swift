import Foundation
import SagaCore
import Testing

/// Who is asked at a terminal sees what about, wherever the output goes.
@Suite struct TerminalQuestionTests {
    @Test func theSampleIsShownWithTheQuestionWhereTheOutputGoesIntoAFile() async throws {
        let program = try await SagaProgram.withDefinitions()
        let id = try await BulkSteeringTests.stuck(program, "k")
        var (master, slave): (Int32, Int32) = (-1, -1)
        try #require(openpty(&master, &slave, nil, nil, nil) == 0)
        let terminal = FileHandle(fileDescriptor: slave, closeOnDealloc: true)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent().appendingPathComponent("saga")
        process.arguments = ["retry", "--status", "stuck"]
        process.environment = ["SAGA_DATABASE_URL": program.database, "TERM": "dumb"]
        process.standardInput = terminal
        process.standardOutput = FileHandle.nullDevice
        process.standardError = terminal
        try process.run()
        let screen = FileHandle(fileDescriptor: master, closeOnDealloc: true)
        var shown = ""
        while !shown.hasSuffix("[y/N] ") {
            let data = screen.availableData
            try #require(!data.isEmpty)
            shown += String(decoding: data, as: UTF8.self)
        }
        #expect(shown.contains("1 saga matches"))
        #expect(shown.contains(id.description))
        try screen.write(contentsOf: Data("n\n".utf8))
        process.waitUntilExit()
        #expect(process.terminationStatus == 1)
        await program.remove()
    }
}
