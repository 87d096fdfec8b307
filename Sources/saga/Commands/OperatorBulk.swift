import PostgresClient
import SagaCore
import SagaDatabase
import SagaPostgres

/// Steers all sagas that a filter finds, one after the other, each by its own latest state.
struct OperatorBulk {
    let call: OperatorCall
    let act: Event.Act
    let options: SteeringOptions

    private static let sampleSize = 5
    private static let defaultBatch = 100
    private static let defaultRate = 100

    private var bulk: BulkOptions { options.bulk }

    /// The filters, with what the call implies.
    private var filter: SagaFilter {
        var filter = options.filters.filter(limit: bulk.limit ?? .max)
        if filter.statuses.isEmpty {
            let live = SagaStatus.allCases.filter { !$0.isEnded }
            filter.statuses = call.impliedStatuses.isEmpty ? live : call.impliedStatuses
        }
        if call.onlyPaused { filter.isPaused = true }
        return filter
    }

    /// Shows what matches, asks, and does it.
    ///
    /// - Returns: the exit code.
    /// - Throws: `CommandFailure`, `PostgresError`.
    func run(_ pool: PostgresPool) async throws -> Int32 {
        let reader = SagaReader(pool: pool)
        try await checkSaga(pool)
        let found = try await reader.survey(filter, sample: Self.sampleSize)
        var report = BulkReport(isJSON: options.format.isJSON, matched: found.count, effect: call.effect)
        guard let last = found.last, found.count > 0 else {
            report.nothing()
            return ExitStatus.done
        }
        let asks = !bulk.yes && !bulk.dryRun
        func summary(_ terminal: Terminal) -> [String] {
            BulkSummary(found: found, intention: "\(call.name): \(call.intention)", terminal: terminal).lines
        }
        if !options.format.isJSON { Output.lines(summary(.output)) }
        // Nobody is asked about what they can't see.
        if asks, Confirmation.isPossible, options.format.isJSON || !Terminal.output.isTerminal {
            Output.error(summary(.error).joined(separator: "\n"))
        }
        if bulk.dryRun {
            report.dryRun(found.sample)
            return ExitStatus.done
        }
        if asks { try Confirmation.require("\(found.count) \(found.count == 1 ? "saga matches" : "sagas match")") }
        return try await act(on: found.count, through: last, reader, SagaOperator(pool: pool), &report)
    }

    private func checkSaga(_ pool: PostgresPool) async throws {
        guard let name = filter.saga else { return }
        let names = try await DefinitionRegistry(pool: pool).names()
        guard !names.contains(name) else { return }
        let hint = NameHint.didYouMean(name, among: names).map { "; \($0)" } ?? ""
        throw CommandFailure("no saga is named \"\(name)\"\(hint)")
    }

    /// Goes through all matches, a page at a time, until there are no more or a signal ends it.
    private func act(
        on count: Int, through last: SagaID, _ reader: SagaReader, _ sagaOperator: SagaOperator,
        _ report: inout BulkReport
    ) async throws -> Int32 {
        let interruption = InterruptionNote()
        defer { interruption.end() }
        var pacer = Pacer(rate: bulk.rate ?? Self.defaultRate)
        var after: SagaID?
        report.begin()
        do {
            repeat {
                let size = bulk.batch ?? Self.defaultBatch
                let page = try await reader.page(filter, after: after, through: last, size: size)
                for saga in page.sagas.prefix(count - report.count) {
                    try await pacer.wait { interruption.isNoted }
                    if interruption.isNoted { break }
                    report.add(saga, try await result(of: saga, sagaOperator, &report))
                }
                after = page.last
            } while after != nil && report.count < count && !interruption.isNoted
        } catch {
            report.end(isInterrupted: true)
            throw error
        }
        report.end(isInterrupted: interruption.isNoted)
        if let status = interruption.exitStatus { return status }
        return report.hasFailed ? ExitStatus.refused : ExitStatus.done
    }

    /// - Throws: `SagaOperator.Failure` when the database is away, and so would be for all others.
    private func result(
        of saga: FoundSaga, _ sagaOperator: SagaOperator, _ report: inout BulkReport
    ) async throws -> BulkReport.Result {
        // Whether it is paused the command itself looks at: what is so already is no fault.
        var fitting = filter
        fitting.isPaused = nil
        do throws(SagaOperator.Failure) {
            switch try await sagaOperator.perform(call.command, on: saga.id, by: act, fitting: fitting) {
            case .appended: return .changed
            case .alreadySo(let reason): return .alreadySo(reason)
            }
        } catch {
            switch error {
            case .refused(let reason): return .refused(reason)
            case .notFound: return .failed("the saga is no longer there")
            case .database(let cause):
                let failure = CommandFailure(error)
                let message = failure?.message ?? cause.message
                guard failure?.status == ExitStatus.unavailable else { return .failed(message) }
                report.add(saga, .failed(message))
                throw error
            }
        }
    }
}
