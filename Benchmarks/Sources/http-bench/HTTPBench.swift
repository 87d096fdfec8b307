import ArgumentParser

/// What HTTP steps are measured against: a bare server, and a bare loop of calls to it.
@main
struct HTTPBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "http-bench",
        abstract: "A bare HTTP server and a bare loop of calls, to compare sagas with HTTP steps with.",
        subcommands: [Serve.self, Loop.self]
    )
}
