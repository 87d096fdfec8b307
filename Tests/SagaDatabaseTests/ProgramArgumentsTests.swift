import Testing

@testable import SagaDatabase

@Suite("What a program was called with")
struct ProgramArgumentsTests {
    private func arguments(_ swift: [String], kernel: String?) throws -> [String] {
        try ProgramArguments.resolve(swift, commandLine: { kernel.map { Array($0.utf8) } })
    }

    @Test func swiftsListIsTakenWithoutTheName() throws {
        #expect(try arguments(["saga", "status", ""], kernel: nil) == ["status", ""])
        #expect(try arguments(["saga"], kernel: "saga\0list\0") == [])
    }

    @Test func whereSwiftHasNoneTheKernelIsAsked() throws {
        #expect(
            try arguments([], kernel: "saga\0start\0order\0--key\0\0--wait\0") == [
                "start", "order", "--key", "", "--wait",
            ])
        #expect(try arguments([], kernel: "saga\0") == [])
        #expect(try arguments([], kernel: "\0") == [])
        #expect(try arguments([], kernel: "saga\0a\nb\0größe\0") == ["a\nb", "größe"])
        // A program may have written over its own: what is left has no end.
        #expect(try arguments([], kernel: "saga: list") == [])
    }

    @Test(arguments: [nil, ""]) func whoeverKnowsNothingSaysSo(kernel: String?) {
        #expect(throws: UnreadableArguments()) { try arguments([], kernel: kernel) }
    }

    @Test func thisProcessHasSome() throws {
        #expect(try ProgramArguments.current() == Array(CommandLine.arguments.dropFirst()))
    }
}
