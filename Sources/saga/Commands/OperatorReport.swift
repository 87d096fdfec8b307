import JSON
import SagaCore
import SagaPostgres

/// Tells what came of each saga as it comes, and the sums at the end: lines, or one JSON document that is written piece
/// by piece, since there may be a million.
struct BulkReport {
    /// What came of one saga.
    enum Result {
        case changed
        case alreadySo(String)
        /// The saga doesn't allow it as it stands.
        case refused(String)
        /// Something went wrong.
        case failed(String)
    }

    let isJSON: Bool
    /// How many matched at the beginning.
    let matched: Int
    /// What a daemon does now, in words.
    let effect: String
    private var changed = 0
    private var alreadySo = 0
    private var refused = 0
    private var failed = 0

    init(isJSON: Bool, matched: Int, effect: String) {
        self.isJSON = isJSON
        self.matched = matched
        self.effect = effect
    }

    /// How many have been told.
    private(set) var count = 0

    /// Whether any was refused or failed.
    var hasFailed: Bool { refused + failed > 0 }

    /// Tells that nothing matches.
    func nothing() {
        if isJSON { writeEmpty() } else { Output.line("nothing matches") }
    }

    /// Tells the sample alone.
    func dryRun(_ sample: [FoundSaga]) {
        guard isJSON else { return Output.line("dry run: nothing was done") }
        begin()
        for (index, saga) in sample.enumerated() { writeSaga(saga, "matches", nil, isFirst: index == 0) }
        writeEnd()
    }

    func begin() {
        if isJSON { Output.raw(#"{"matched":\#(matched),"sagas":["#) }
    }

    mutating func add(_ saga: FoundSaga, _ result: Result) {
        let isFirst = count == 0
        count += 1
        let (name, message): (String, String?)
        switch result {
        case .changed:
            changed += 1
            (name, message) = ("changed", nil)
        case .alreadySo(let reason):
            alreadySo += 1
            (name, message) = ("alreadySo", reason)
        case .refused(let reason):
            refused += 1
            (name, message) = ("refused", reason)
        case .failed(let reason):
            failed += 1
            (name, message) = ("failed", reason)
        }
        if isJSON { return writeSaga(saga, name, message, isFirst: isFirst) }
        let word = name == "alreadySo" ? "already so" : name
        Output.line("\(saga.saga) \(saga.id)" + (message.map { ": \(word): \($0)" } ?? " \(effect)").sanitized)
    }

    /// Tells the sums.
    func end(isInterrupted: Bool) {
        if isJSON { return writeEnd() }
        var line =
            "\(matched) matched: \(changed) changed, \(alreadySo) already so, \(refused) refused, \(failed) failed"
        let rest = matched - count
        if rest > 0 {
            line += isInterrupted ? ", \(rest) not looked at; run it again to go on" : ", \(rest) no longer matched"
        }
        Output.line(line)
    }

    // MARK: JSON

    private func writeEmpty() {
        begin()
        writeEnd()
    }

    private func writeSaga(_ saga: FoundSaga, _ result: String, _ message: String?, isFirst: Bool) {
        var writer = JSONWriter(reservingCapacity: 160)
        writer.beginObject()
        writer.field("id", saga.id.description)
        writer.field("saga", saga.saga)
        writer.field("result", result)
        writer.field("message", message)
        writer.endObject()
        Output.raw((isFirst ? "" : ",") + writer.finished().text)
    }

    private func writeEnd() {
        let sums = #""changed":\#(changed),"alreadySo":\#(alreadySo),"refused":\#(refused),"failed":\#(failed)"#
        Output.raw("],\(sums)}\n")
    }
}
