import SagaCore
import SagaDatabase
import SagaPostgres

/// Waits for a saga's end, showing its progress on standard error: a bar on a terminal, a line a status elsewhere.
struct SagaWaiter {
    let reader: SagaReader

    /// What `saga start --wait` exits with.
    static func exitStatus(_ status: SagaStatus) -> Int32 {
        switch status {
        case .completed: ExitStatus.done
        case .compensated: 3
        case .stuck, .terminated: 4
        case .pending, .running, .compensating: ExitStatus.refused
        }
    }

    /// Returns when the saga has ended or needs a person; Ctrl-C ends the program and not the saga.
    func wait(for id: SagaID) async throws -> StatusDocument {
        let interruption = Interruption { "\nsaga \(id) goes on; look at it with: saga watch \(id)" }
        defer { interruption.end() }
        guard let record = try await reader.load(id) else { throw CommandFailure("the saga is no longer there") }
        var follower = SagaFollower(record, reader: reader)
        var document = record.statusDocument
        if !isOver(document), try await !reader.hasLiveDaemon() {
            Output.error("no daemon is alive: the saga waits until a sagad runs")
        }
        var shown = SagaStatus.pending
        showProgress(document, after: &shown)
        while !isOver(document) {
            let news = try await follower.poll()
            guard !news.isEmpty || follower.record.unreadable != nil || follower.isEnded else { continue }
            document = follower.record.statusDocument
            showProgress(document, after: &shown)
        }
        if Terminal.error.isTerminal { Output.rawError("\n") }
        return document
    }

    private func showProgress(_ document: StatusDocument, after shown: inout SagaStatus) {
        guard Terminal.error.isTerminal else {
            guard document.status != shown else { return }
            shown = document.status
            let failure = document.failure.map { ": " + ($0.step.map { "\($0) " } ?? "") + $0.error } ?? ""
            return Output.error("saga \(document.id) is \(document.status.name)\(failure)".sanitized)
        }
        Output.rawError("\r\u{1B}[K" + ProgressLine.text(document, for: .error))
    }

    private func isOver(_ document: StatusDocument) -> Bool { document.status.isEnded || document.status == .stuck }
}
