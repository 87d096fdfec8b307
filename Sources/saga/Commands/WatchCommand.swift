import ArgumentParser
import SagaCore
import SagaEngine
import SagaPostgres

/// `saga watch ID|KEY`: a live view until the saga ends.
struct WatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Watch a saga live until it ends.",
        discussion: """
            On a terminal its status is redrawn in place. Elsewhere its events are printed as they come, then how it \
            ended; with --format json its status document, a line at each change.
            """
    )

    @OptionGroup var saga: SagaArgument
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
        try await database.withDatabase { pool in
            let reader = SagaReader(pool: pool)
            let record = try await reader.requireRecord(saga.saga)
            let follower = SagaFollower(record, reader: reader)
            if format.isJSON {
                try await printDocuments(follower)
            } else if Terminal.output.isTerminal {
                try await redraw(follower)
            } else {
                try await printEvents(follower)
            }
        }
    }

    private func printDocuments(_ start: SagaFollower) async throws {
        var follower = start
        var shown = follower.record.statusDocument
        Output.json(shown.json)
        while !follower.isEnded {
            _ = try await follower.poll()
            let document = follower.record.statusDocument
            if document != shown { Output.json(document.json) }
            shown = document
        }
    }

    private func printEvents(_ start: SagaFollower) async throws {
        var follower = start
        let printer = EventPrinter(follower.record, isJSON: false)
        printer.show(follower.record.events)
        while !follower.isEnded { printer.show(try await follower.poll()) }
        Output.line("\(follower.record.saga) \(follower.record.id) \(follower.record.statusDocument.status.name)")
    }

    private func redraw(_ start: SagaFollower) async throws {
        var follower = start
        var screen = LiveScreen()
        screen.show(follower.record)
        var drawn = ContinuousClock.now
        while !follower.isEnded {
            let news = try await follower.poll()
            // Without news the times to wait still run down.
            guard !news.isEmpty || follower.isEnded || ContinuousClock.now - drawn >= .seconds(1) else { continue }
            screen.show(follower.record)
            drawn = .now
        }
    }
}

/// A block of lines on a terminal that is drawn over and over in its place.
private struct LiveScreen {
    private var height = 0

    mutating func show(_ record: SagaRecord) {
        let terminal = Terminal.output
        var lines = StatusText(document: record.statusDocument, now: record.readAt, terminal: terminal).lines
        // What has scrolled off the screen can't be drawn over.
        if let height = terminal.height, lines.count >= height { lines = Array(lines.prefix(max(1, height - 1))) }
        let up = height > 0 ? "\u{1B}[\(height)F" : ""
        Output.raw(up + "\u{1B}[J" + lines.joined(separator: "\n") + "\n")
        height = lines.count
    }
}
