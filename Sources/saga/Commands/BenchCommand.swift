import ArgumentParser
import SagaDatabase

/// `saga bench`: measures this installation.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure how many sagas this installation runs, and how fast.",
        discussion: """
            Starts sagas through saga.start and lets the daemons that are alive run them, or a sagad that it starts and \
            drains again where none is. Each step is committed before it is made, and its outcome before the next one \
            begins. All sagas must complete with just the events they should have; else it says what was wrong, prints \
            no figures and exits 1. The sagas stay in the database: give it one of its own.

            Latency is from start to end by the database's clock. With --rate it counts from when a start was due, \
            so that a starter that falls behind makes it longer.
            """
    )

    @Option(help: ArgumentHelp("How many sagas.", valueName: "n"))
    var sagas = 10_000
    @Option(help: ArgumentHelp("How many steps each has, one after the other, 1 to 256.", valueName: "k"))
    var steps = 4
    @Option(
        help: ArgumentHelp(
            "Post each step's input to this URL; else steps are answered inside the daemon.",
            valueName: "url"
        )
    )
    var http: String?
    @Option(
        help: ArgumentHelp("Starts a second, at fixed times; else as many as the database takes.", valueName: "r")
    )
    var rate: Double?
    @Option(help: ArgumentHelp("The length of the text in each saga's input, up to 1000000.", valueName: "bytes"))
    var payload = 0
    @Option(help: ArgumentHelp("Starts in one transaction, to make a backlog.", valueName: "b"))
    var batch = 1
    @Option(help: ArgumentHelp("Connections that start sagas, 1 to 64.", valueName: "c"))
    var connections = 4
    @Flag(help: "Measure in a database that has other sagas too.")
    var yes = false
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func validate() throws {
        func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws {
            guard range.contains(value) else {
                throw ValidationError("\(name) is \(range.lowerBound) to \(range.upperBound)")
            }
        }
        try check("--sagas", sagas, 1...10_000_000)
        try check("--steps", steps, 1...256)
        try check("--payload", payload, 0...1_000_000)
        try check("--batch", batch, 1...10_000)
        try check("--connections", connections, 1...64)
        if let rate {
            guard rate >= 0.001, rate <= 1_000_000 else { throw ValidationError("--rate is 0.001 to 1000000") }
            guard batch == 1 else {
                throw ValidationError("--rate starts each saga at its own time: it doesn't go with --batch")
            }
        }
        if let http {
            guard http.hasPrefix("http://") || http.hasPrefix("https://"), !http.contains("${") else {
                throw ValidationError("--http is a URL that begins with http:// or https://")
            }
        }
    }

    func run() async throws {
        let settings = BenchSettings(
            sagas: sagas,
            steps: steps,
            url: http,
            rate: rate,
            payload: payload,
            batch: batch,
            connections: connections
        )
        let figures = try await BenchRun(settings: settings, acceptsOthers: yes, options: database).run()
        if format.isJSON { Output.json(figures.json) } else { Output.lines(figures.lines) }
    }
}
