import SagaCore
import Testing

/// Deadlines and retries that don't fit each other, with their sums.
@Suite struct TimeCheckTests {
    private func messages(_ steps: String, deadline: String? = nil, defaults: String? = nil) -> [String] {
        let deadline = deadline.map { #""deadline": "\#($0)", "# } ?? ""
        let defaults = defaults.map { #""defaults": \#($0), "# } ?? ""
        let text =
            #"{"saga": "s", "services": {"x": {"url": "http://x"}}, \#(deadline)\#(defaults)"steps": ["# + "\n"
            + steps + "]}"
        return DefinitionParser.parse(Array(text.utf8)).findings.map {
            "\($0.line):\($0.column) \($0.severity) \($0.code): \($0.message)"
        }
    }

    private func step(_ name: String, _ more: String = "", rest: String = "") -> String {
        #"{"name": "\#(name)", "action": {"http": {"service": "x", "method": "GET", "path": "/"}\#(more)}\#(rest)}"#
    }

    @Test(arguments: [
        // 5 × 30s, and 1 + 2 + 4 + 8 s between them.
        (
            "", "2m",
            "2:10 warning deadline-too-short: 5 attempts of the step `a` may take 165s (150s of calls, 15s of waiting), "
                + "longer than the saga's `deadline` of 2m"
        ),
        ("", "165s", nil), ("", "2h", nil),
        (
            #", "timeout": "1h""#, "30m",
            "2:93 warning deadline-too-short: one attempt of the step `a` may take 1h, longer than the saga's `deadline` "
                + "of 30m"
        ),
        (
            #", "retry": {"maximumAttempts": 3, "initialInterval": "10m"}"#, "10m",
            "2:91 warning deadline-too-short: the step `a` waits up to 10m before its second attempt: by then the saga's "
                + "`deadline` of 10m has passed"
        ),
        (
            #", "retry": {"maximumAttempts": 0, "initialInterval": "10m"}"#, "10m",
            "2:91 warning deadline-too-short: the step `a` waits up to 10m before its second attempt: by then the saga's "
                + "`deadline` of 10m has passed"
        ),
        (
            #", "retry": {"maximumAttempts": 2147483647, "backoffCoefficient": 1}"#, "1h",
            "2:91 warning deadline-too-short: 2147483647 attempts of the step `a` may take 66571993056s "
                + "(64424509410s of calls, 2147483646s of waiting), longer than the saga's `deadline` of 1h"
        ),
        // Without end is meant to be ended by the deadline.
        (#", "retry": {"maximumAttempts": 0}"#, "2m", nil),
        (#", "retry": {"maximumAttempts": 1, "initialInterval": "10m"}"#, "10m", nil),
    ])
    func deadline(_ more: String, _ deadline: String, _ message: String?) {
        #expect(messages(step("a", more), deadline: deadline) == [message].compactMap { $0 })
    }

    @Test func everyStepIsNamedAndDefaultsCount() {
        let defaults = #"{"timeout": "1m", "retry": {"maximumAttempts": 2, "initialInterval": "5s"}}"#
        #expect(
            messages(step("a") + ",\n" + step("b", #", "timeout": "10s""#), deadline: "2m", defaults: defaults) == [
                "2:10 warning deadline-too-short: 2 attempts of the step `a` may take 125s (2m of calls, 5s of waiting), "
                    + "longer than the saga's `deadline` of 2m"
            ]
        )
    }

    @Test func theLongestWayCountsWhenNoStepIsTooLongByItself() {
        let once = #", "timeout": "40s", "retry": {"maximumAttempts": 1}"#
        let beside = #", "after": []"#
        #expect(
            messages([step("a", once), step("b", once)].joined(separator: ",\n"), deadline: "1m") == [
                "1:67 warning deadline-too-short: the steps may take 80s one after the other without any being tried "
                    + "again, longer than the `deadline` of 1m"
            ]
        )
        #expect(
            messages([step("a", once), step("b", once, rest: beside)].joined(separator: ",\n"), deadline: "1m") == [])
        // Once the pivot is done the deadline means nothing.
        let pivot = #", "pivot": true"#
        let forever = #", "timeout": "40s", "retry": {"maximumAttempts": 0}"#
        #expect(
            messages([step("a", once, rest: pivot), step("b", forever)].joined(separator: ",\n"), deadline: "1m") == [])
    }

    @Test(arguments: [
        (
            #", "retry": {"maximumAttempts": 5}"#,
            "3:91 warning retry-too-short-after-pivot: the step `b` comes after the pivot and can't be undone, but is "
                + "given up after 5 attempts and at most 15s of waiting; then the saga is stuck"
        ),
        (
            #", "retry": {"maximumAttempts": 1}"#,
            "3:91 warning retry-too-short-after-pivot: the step `b` comes after the pivot and can't be undone, but is "
                + "given up after one attempt; then the saga is stuck"
        ),
        (
            #", "retry": {"maximumAttempts": 2, "initialInterval": "9m", "maximumInterval": "9m"}"#,
            "3:91 warning retry-too-short-after-pivot: the step `b` comes after the pivot and can't be undone, but is "
                + "given up after 2 attempts and at most 9m of waiting; then the saga is stuck"
        ),
        // What is built in: 1 s, doubled up to 5 minutes, eleven times.
        ("", nil), (#", "retry": {"maximumAttempts": 0}"#, nil),
        (#", "retry": {"maximumAttempts": 2, "initialInterval": "10m"}"#, nil),
    ])
    func afterThePivot(_ more: String, _ message: String?) {
        let found = messages(step("a", rest: #", "pivot": true"#) + ",\n" + step("b", more))
        #expect(found == [message].compactMap { $0 })
    }

    @Test func beforeThePivotAStepMayGiveUp() {
        let once = #", "retry": {"maximumAttempts": 1}"#
        #expect(messages(step("a", once) + ",\n" + step("b", once, rest: #", "pivot": true"#)) == [])
    }
}
