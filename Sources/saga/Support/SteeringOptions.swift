import ArgumentParser
import SagaCore

/// How many sagas are steered at a time, and whether a person is asked first.
struct BulkOptions: ParsableArguments {
    @Flag(help: "With filters: don't ask.")
    var yes = false
    @Flag(help: "With filters: show what matches, and do nothing.")
    var dryRun = false
    @Option(help: ArgumentHelp("With filters: at most so many, the oldest first.", valueName: "n"))
    var limit: Int?
    @Option(help: ArgumentHelp("With filters: how many are looked up at a time; 100.", valueName: "n"))
    var batch: Int?
    @Option(
        help: ArgumentHelp("With filters: how many a second at most; 100, and 0 is without limit.", valueName: "n/s"),
        transform: { text in
            let number = text.hasSuffix("/s") ? String(text.dropLast(2)) : text
            guard let rate = Int(number), (0...1_000_000).contains(rate) else {
                throw ValidationError("\"\(text)\" is no rate; give a whole number of sagas a second, such as 50/s")
            }
            return rate
        }
    )
    var rate: Int?

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit is 1 or more") }
        if let batch, !(1...10_000).contains(batch) { throw ValidationError("--batch is 1 to 10000") }
    }

    /// The options that mean nothing for a single saga.
    var given: [String] {
        var names: [String] = []
        if dryRun { names.append("--dry-run") }
        if limit != nil { names.append("--limit") }
        if batch != nil { names.append("--batch") }
        if rate != nil { names.append("--rate") }
        return names
    }
}

/// What all calls that steer have in common: filters in place of a saga's name, who does it, where, and the format.
struct SteeringOptions: ParsableArguments {
    @OptionGroup(title: "Filters, in place of a saga") var filters: FilterOptions
    @OptionGroup(title: "Many sagas") var bulk: BulkOptions
    @OptionGroup var actor: ActorOption
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    /// Checks that either one saga or filters are given.
    ///
    /// - Throws: `ValidationError` saying what would be right.
    func check(saga: String?, name: String) throws {
        if saga == nil, filters.isEmpty {
            throw ValidationError(
                "give a saga's id or key, or filters that say which are meant, such as: "
                    + "saga \(name) --saga NAME --status STATUS --step STEP --error ERROR --since 1h")
        }
        if let saga, !filters.isEmpty {
            throw ValidationError("give either one saga, here \"\(saga)\", or filters, not both")
        }
        if saga != nil, let option = bulk.given.first {
            throw ValidationError("\(option) goes with filters, not with one saga")
        }
        if let ended = filters.status.first(where: \.isEnded) {
            throw ValidationError("--status \(ended.name): there is nothing to \(name) in a saga that has ended")
        }
    }
}
