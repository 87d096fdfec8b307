import Foundation
import JSON
import SagaCore
import SagaSimulation
import Testing

@Suite struct FaultMatrixTests {
    private func cases(_ definition: Definition, _ input: String = "{}") throws -> [FaultMatrix.Case] {
        try FaultMatrix(definition, input: RawJSON(validating: input)).run().cases
    }

    private func shipped(_ name: String) throws -> Definition {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try Samples.definition(
            String(contentsOf: root.appendingPathComponent("sagas/\(name).json"), encoding: .utf8))
    }

    @Test(arguments: [
        (
            "order",
            #"{"orderId": "1", "customer": "a", "card": "c", "country": "DE","#
                + #" "items": [{"sku": "b", "quantity": 1, "unitPriceCents": 1}]}"#, 76
        ),
        (
            "trip",
            #"{"tripId": "t", "traveller": "a", "from": "FRA", "to": "LIS", "departureDate": "2026-01-01","#
                + #" "returnDate": "2026-01-02"}"#, 76
        ),
        ("transfer", #"{"transferId": "t", "from": "a", "to": "b", "amountCents": 5, "currency": "EUR"}"#, 41),
    ])
    func theShippedSagasHaveNoHole(_ name: String, _ input: String, _ count: Int) throws {
        let matrix = try FaultMatrix(shipped(name), input: RawJSON(validating: input))
        let cases = try matrix.run().cases
        #expect(cases.count == count)
        for run in cases {
            #expect(run.problems == [], "\(run.target) \(run.fault)")
            #expect(run.result.ending == .ended || run.result.status == .stuck)
        }
        if name != "transfer" { return }
        let pairs = try FaultPairs(matrix, of: cases).sampled(60)
        for (pair, outcome) in zip(pairs.pairs, try pairs.run()) {
            #expect(outcome.problems == [], "\(pair.first) \(pair.second)")
        }
    }

    @Test func aLostAnswerLeavesAnEffectThatOnlyWhatSucceededIsUndoneOf() throws {
        let definition = try Samples.definition(
            """
            {"saga": "hole", "services": {"s": {"url": "http://s"}}, "steps": [
              {"name": "a", "action": {"http": {"service": "s", "path": "/a"}}, "compensation": "none"},
              {"name": "b", "compensateWhen": "succeeded", "action": {"http": {"service": "s", "path": "/b"}},
               "compensation": {"http": {"service": "s", "path": "/undo"}}}]}
            """)
        let wrong = try cases(definition).filter { !$0.problems.isEmpty }
        #expect(wrong.map { "\($0.target) \($0.fault.rawValue)" } == ["b lost", "b straggles"])
        #expect(wrong.first?.problems == ["b still has its effect, though the saga is compensated"])
    }

    /// Each line: the call, the fault, the status, what stands.
    @Test func everyFaultAtEveryCall() throws {
        let lines = try cases(Samples.list(["a", "b"], breaker: "{}")).map { run in
            let effects = run.result.books.standing.map(\.step).joined(separator: " ")
            return "\(run.target), \(run.fault.rawValue): \(run.result.status.name) \(effects)"
        }
        #expect(
            lines == [
                "a, refuses: compensated ",
                "a, unreachable: compensated ",
                "a, lost: compensated ",
                "a, timeout: compensated ",
                "a, straggles: compensated ",
                "a, breaker open: completed a b",
                "a, daemon dies before the call: completed a b",
                "a, daemon dies after the call: completed a b",
                "a, daemon dies after the commit: completed a b",
                "a, cancel: compensated ",
                "a, deadline: compensated ",
                "b, refuses: compensated ",
                "b, unreachable: compensated ",
                "b, lost: compensated ",
                "b, timeout: compensated ",
                "b, straggles: compensated ",
                "b, breaker open: completed a b",
                "b, daemon dies before the call: completed a b",
                "b, daemon dies after the call: completed a b",
                "b, daemon dies after the commit: completed a b",
                "b, cancel: compensated ",
                "b, deadline: compensated ",
                "a:compensation, refuses: stuck a",
                "a:compensation, unreachable: stuck a",
                "a:compensation, lost: stuck ",
                "a:compensation, timeout: stuck a",
                "a:compensation, breaker open: compensated ",
                "a:compensation, daemon dies before the call: compensated ",
                "a:compensation, daemon dies after the call: compensated ",
                "a:compensation, daemon dies after the commit: compensated ",
                "b:compensation, refuses: stuck a b",
                "b:compensation, unreachable: stuck a b",
                "b:compensation, lost: stuck a",
                "b:compensation, timeout: stuck a b",
                "b:compensation, breaker open: compensated ",
                "b:compensation, daemon dies before the call: compensated ",
                "b:compensation, daemon dies after the call: compensated ",
                "b:compensation, daemon dies after the commit: compensated ",
            ])
    }

    /// The tombstone of its undo refuses a request that comes late.
    @Test func aStragglerIsRefused() throws {
        let run = try #require(
            try cases(Samples.list(["a"])).first { $0.fault == .straggles && $0.target.side == .action })
        #expect(
            Story(run.result).lines.suffix(6) == [
                "34000 SagaCompensated", "ended compensated", "tombstone a", "refused a", "refused a", "refused a",
            ])
    }

    /// A step that is tried for ever must be turned to show its undo.
    @Test func whatIsTriedWithoutLimitIsUndoneToo() throws {
        let definition = try Samples.list(["a"], retry: #"{"maximumAttempts": 0, "initialInterval": "1s"}"#)
        #expect(try cases(definition).count { $0.target.side == .compensation } == 7)
    }

    @Test func whatIsSkippedAndWhatMakesNoCallHasNoFaults() throws {
        let definition = try Samples.definition(
            """
            {"saga": "quiet", "services": {"s": {"url": "http://s"}}, "steps": [
              {"name": "a", "when": "${ has(input.x) }", "action": {"http": {"service": "s", "path": "/a"}},
               "compensation": "none"},
              {"name": "b", "action": {"pass": 1}}, {"name": "c", "action": {"noop": {}}}]}
            """)
        #expect(try cases(definition).isEmpty)
    }

    /// Whatever the last step of the file is: one that others wait for, is skipped, makes no call, or is the pivot.
    @Test(arguments: [
        #"\#(called("b", "c")), \#(called("c", ""))"#,
        #"\#(called("b")), \#(called("c")), \#(called("d", more: #""when": "${ has(input.x) }","#))"#,
        #"\#(called("b")), \#(called("c")), {"name": "p", "pivot": true, "action": {"pass": 1}},"#
            + #"{"name": "d", "action": {"http": {"service": "s", "path": "/"}}}"#,
        #"\#(called("b")), \#(called("c")), {"name": "p", "pivot": true, "when": "${ has(input.x) }","#
            + #""action": {"http": {"service": "s", "path": "/"}}}"#,
    ])
    func allThatIsCalledIsUndone(_ steps: String) throws {
        let definition = try Samples.definition(
            #"{"saga": "turned", "services": {"s": {"url": "http://s"}}, "steps": [\#(steps)]}"#)
        let outcome = try FaultMatrix(definition, input: RawJSON(validating: "{}")).run()
        #expect(outcome.cases.count { $0.target == .init("b", .compensation) } == 8)
        #expect(outcome.cases.count { $0.target == .init("c", .compensation) } == 8)
        #expect(outcome.undisturbed.status == .completed)
        #expect(!outcome.untried.contains { $0.step == "b" || $0.step == "c" })
    }

    private static func called(_ name: String, _ after: String? = nil, more: String = "") -> String {
        let after = after.map { #""after": [\#($0.isEmpty ? "" : "\"\($0)\"")],"# } ?? ""
        return #"{"name": "\#(name)", \#(after) \#(more) "action": {"http": {"service": "s", "path": "/"}},"#
            + #""compensation": {"http": {"service": "s", "path": "/undo"}}}"#
    }

    @Test func whatNoRunCallsIsNamed() throws {
        let definition = try Samples.definition(
            #"{"saga": "skipped", "services": {"s": {"url": "http://s"}}, "steps": [\#(Self.called("a")),"#
                + #"\#(Self.called("b", more: #""when": "${ has(input.x) }","#))]}"#)
        let outcome = try FaultMatrix(definition, input: RawJSON(validating: "{}")).run()
        #expect(outcome.untried == [.init("b"), .init("b", .compensation)])
        #expect(outcome.cases.count == 19)
    }

    /// Past a point of no return that may be skipped a saga can still turn back, and what follows has no compensation.
    @Test func aPivotThatIsSkippedLeavesWhatFollowsIt() throws {
        let definition = try Samples.definition(
            """
            {"saga": "hole", "services": {"s": {"url": "http://s"}}, "steps": [
              {"name": "p", "pivot": true, "when": "${ has(input.x) }", "action": {"http": {"service": "s", "path": "/"}}},
              {"name": "b", "action": {"http": {"service": "s", "path": "/"}}}]}
            """)
        let wrong = try cases(definition).filter { !$0.problems.isEmpty }
        #expect(wrong.map(\.fault) == [.lost, .straggles, .cancel, .deadline])
        #expect(
            Set(wrong.flatMap(\.problems)) == ["b still has its effect, though the saga is compensated"])
    }

    /// Calls take as long as a deadline has room for.
    @Test func aShortDeadlineDoesNotPassByItself() throws {
        let outcome = try FaultMatrix(
            Samples.list(["a", "b"], more: #""deadline": "900ms","#), input: RawJSON(validating: "{}")
        ).run()
        #expect(outcome.undisturbed.status == .completed)
        #expect(outcome.untried == [])
    }

    @Test func theSameSeedGivesTheSameResults() throws {
        let definition = try Samples.list(["a", "b"], retry: #"{"maximumAttempts": 3}"#)
        #expect(try cases(definition).map(\.result) == cases(definition).map(\.result))
    }
}
