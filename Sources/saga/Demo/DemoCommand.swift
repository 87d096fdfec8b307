import ArgumentParser
import Glibc
import SagaCore
import SagaDatabase
import SagaPostgres

/// `saga demo`: the whole thing on this machine.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Watch orders run through four services, some of them failing and being undone.",
        discussion: """
            Starts a private PostgreSQL, the order saga's four services and a sagad, starts orders of which some are \
            made to fail, and shows what became of them and whether the services' books agree. All of it is stopped at \
            the end. It lies in the folder demo of SAGA_HOME (.saga), which is cleared at each start. Exits 1 when an \
            order didn't end as it should or the books disagree.
            """
    )

    @Option(help: ArgumentHelp("How many orders are started, 1 to 500.", valueName: "n"))
    var orders = 40
    @Flag(help: "Leave everything running until Ctrl-C, and say what to try.")
    var keep = false

    func validate() throws {
        guard (1...500).contains(orders) else { throw ValidationError("--orders is 1 to 500") }
    }

    func run() async throws {
        let run = DemoRun(orders: DemoOrder.make(orders), keeps: keep)
        let task = Task { try await run.run() }
        let signals = DemoSignals { task.cancel() }
        do {
            try await task.value
        } catch {
            // Books that disagree are worth more than how the wait after them ended.
            guard let signal = signals.received, !(error is ExitCode) else { throw error }
            if Terminal.output.isTerminal { Output.line("") }
            throw CommandFailure("interrupted; all that the demo had started is stopped", status: 128 + signal)
        }
    }
}

/// One run of the demo, from nothing to nothing.
struct DemoRun: Sendable {
    let orders: [DemoOrder]
    let keeps: Bool
    private var terminal: Terminal { .output }

    /// How long nothing may happen to any order.
    private static let patience = Duration.seconds(60)

    init(orders: [DemoOrder], keeps: Bool) {
        self.orders = orders
        self.keeps = keeps
    }

    /// Runs it and stops all that it started, however it ends; cancelling the task ends it early.
    ///
    /// - Throws: what `CommandFailure` knows to tell, `CancellationError`, `ExitCode` when the books disagree.
    func run() async throws {
        let began = ContinuousClock.now
        let programs = try DemoPrograms.find()
        let definition = try DemoDefinition.choose()
        let home = try DemoHome.take()
        if let note = definition.note { Output.error(note) }
        let installation = DemoInstallation(home: home, programs: programs, definition: definition)
        let result: Result<Bool, any Error>
        do {
            result = .success(try await show(installation, programs, since: began))
        } catch {
            result = .failure(error)
        }
        // Stopping goes on when this task is cancelled.
        await Task { await installation.stop() }.value
        guard try result.get() else { throw ExitCode(ExitStatus.refused) }
    }

    /// - Returns: whether the books agree.
    private func show(
        _ installation: DemoInstallation,
        _ programs: DemoPrograms,
        since began: ContinuousClock.Instant
    ) async throws -> Bool {
        Output.line("Starting PostgreSQL, four services and sagad (logs in \(installation.home.shownPath))")
        try await installation.start()
        let reader = SagaReader(pool: try await installation.database())
        try await startOrders(installation)
        let ends = try await follow(reader, installation)
        let books = try await installation.books()
        let report = DemoReport(
            ends: ends,
            books: books,
            example: try await example(of: ends, reader),
            terminal: terminal
        )
        Output.lines(report.lines)
        let disagreements = DemoAudit(ends: ends, books: books).disagreements.count
        if disagreements == 0 {
            Output.lines([""] + report.conclusion)
        } else {
            Output.error("saga: the orders' ends and the books disagree in \(counted(disagreements, "place"))")
        }
        let seconds = (ContinuousClock.now - began).components.seconds
        Output.line(terminal.paint("It took \(seconds) s.", .dim))
        if keeps { try await keep(installation, programs, ends) }
        return disagreements == 0
    }

    // MARK: Orders

    private func startOrders(_ installation: DemoInstallation) async throws {
        let starter = SagaStarter(pool: try await installation.database())
        let failing = orders.count { $0.fate != .fine }
        Output.line("")
        Output.line(counted(orders.count, "order") + (failing > 0 ? ", \(failing) of them made to fail" : ""))
        for order in orders { _ = try await starter.start("order", input: order.input, key: order.id) }
    }

    /// Shows the progress until every order has ended or needs a person.
    private func follow(_ reader: SagaReader, _ installation: DemoInstallation) async throws -> [DemoEnd] {
        var progress = DemoProgress(total: orders.count, terminal: terminal)
        var statuses: [SagaStatus] = []
        var changed = ContinuousClock.now
        while true {
            let ends = try await currentEnds(reader)
            if ends.map(\.status) != statuses { changed = .now }
            statuses = ends.map(\.status)
            if let text = progress.text(statuses) { Output.raw(text) }
            if statuses.count == orders.count, statuses.allSatisfy({ $0.isEnded || $0 == .stuck }) {
                Output.raw(progress.end)
                return ends
            }
            try await installation.check()
            guard ContinuousClock.now - changed < Self.patience else {
                Output.raw(progress.end)
                throw CommandFailure(
                    "nothing has happened to the orders for \(Self.patience) (\(installation.home.daemonLog))"
                )
            }
            try await Task.sleep(for: .milliseconds(terminal.isTerminal ? 50 : 100))
        }
    }

    /// How each order's saga stands, in the orders' order.
    private func currentEnds(_ reader: SagaReader) async throws -> [DemoEnd] {
        let (sagas, _) = try await reader.list(SagaFilter(saga: "order", limit: orders.count))
        var byKey: [String: StatusDocument] = [:]
        for saga in sagas { if let key = saga.key { byKey[key] = saga } }
        return orders.compactMap { order in
            guard let saga = byKey[order.id] else { return nil }
            let failure = saga.failure.map { [$0.step, $0.error].compactMap { $0 }.joined(separator: ": ") }
            return DemoEnd(order: order, status: saga.status, failure: failure)
        }
    }

    private func example(
        of ends: [DemoEnd],
        _ reader: SagaReader
    ) async throws -> (end: DemoEnd, events: [StoredEvent])? {
        guard let end = DemoReport.example(among: ends) else { return nil }
        return (end, try await reader.requireRecord(end.order.id).events)
    }

    // MARK: Afterwards

    /// Waits for Ctrl-C, which is the way to end this and no failure.
    private func keep(
        _ installation: DemoInstallation,
        _ programs: DemoPrograms,
        _ ends: [DemoEnd]
    ) async throws {
        let home = installation.home
        try home.write(DemoOrder.sample.input.bytes + [UInt8(ascii: "\n")], to: home.sampleInput)
        let suggestions = DemoSuggestions(
            program: DemoSuggestions.callName(of: programs.saga),
            database: home.cluster.connectionString(),
            example: DemoReport.example(among: ends)?.order.id ?? "order-01",
            input: home.sampleInput
        )
        Output.lines(["", "All of it runs on until Ctrl-C. To try from another terminal:"] + suggestions.lines)
        do {
            while true {
                try await Task.sleep(for: .milliseconds(200))
                try await installation.check()
            }
        } catch is CancellationError {
            if terminal.isTerminal { Output.line("") }
            Output.line("Stopping")
        }
    }
}
