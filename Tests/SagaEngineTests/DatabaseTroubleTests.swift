import Logging
import Testing

@testable import SagaEngine

@Suite struct DatabaseTroubleTests {
    /// Given a database that fails for forty seconds, then three lines tell it, with how often it failed.
    @Test func anOutageIsToldWhenItBeginsNowAndThenAndWhenItIsOver() {
        var trouble = DatabaseTrouble()
        var told: [String] = []
        func note(_ line: Logger.Metadata?, at second: Int64) {
            guard let line else { return }
            told.append("\(second): " + line.map { "\($0)=\($1)" }.sorted().joined(separator: " "))
        }
        note(trouble.answered(now: 0), at: 0)
        for second in Int64(5)..<45 {
            note(trouble.failed(doing: "committing", "no route", now: second * 1_000_000), at: second)
        }
        note(trouble.answered(now: 45_250_000), at: 45)
        note(trouble.answered(now: 49_000_000), at: 49)
        note(trouble.answered(now: 50_000_000), at: 50)
        note(trouble.failed(doing: "claiming", "starting up", now: 60_000_000), at: 60)
        #expect(
            told == [
                "5: doing=committing failures=1 reason=no route", "35: doing=committing failures=31 reason=no route",
                "49: after=39.0s failures=40", "60: doing=claiming failures=1 reason=starting up",
            ])
        #expect(trouble.allFailures == 41)
    }
}
