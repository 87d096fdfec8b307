import ArgumentParser
import SagaCore
import SagaPostgres

/// The options that say which sagas are meant, of `saga list` and of every call that steers.
struct FilterOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Only those of this definition.", valueName: "name"))
    var saga: String?
    @Option(
        help: ArgumentHelp(
            "Only those of this status; may be repeated.",
            discussion: SagaStatus.allCases.map(\.name).joined(separator: ", "),
            valueName: "status"
        ),
        completion: .list(SagaStatus.allCases.map(\.name)),
        transform: { text in
            guard let status = SagaStatus(name: text) else {
                let names = SagaStatus.allCases.map(\.name).joined(separator: ", ")
                throw ValidationError("\"\(text)\" is no status; there are \(names)")
            }
            return status
        }
    )
    var status: [SagaStatus] = []
    @Option(help: ArgumentHelp("Only those whose failure is at this step.", valueName: "name"))
    var step: String?
    @Option(help: ArgumentHelp("Only those whose failure has this error, such as Saga.HTTP.503.", valueName: "name"))
    var error: String?
    @Option(
        help: ArgumentHelp(
            "Only those started no longer ago than this, such as 90s, 15m, 1h or 7d.",
            valueName: "time"
        ),
        transform: FilterOptions.span
    )
    var since: TimeSpan?
    @Option(
        help: ArgumentHelp("Only those started at least this long ago.", valueName: "time"),
        transform: FilterOptions.span
    )
    var until: TimeSpan?

    /// Whether none is given: every saga is meant, or none.
    var isEmpty: Bool {
        saga == nil && status.isEmpty && step == nil && error == nil && since == nil && until == nil
    }

    func filter(limit: Int) -> SagaFilter {
        SagaFilter(saga: saga, statuses: status, step: step, error: error, since: since, until: until, limit: limit)
    }

    @Sendable static func span(_ text: String) throws -> TimeSpan {
        do throws(DurationError) { return try TimeSpan(parsing: text) } catch {
            throw ValidationError(error.description)
        }
    }
}
