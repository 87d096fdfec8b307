import Dispatch
import JSON
import SagaCore
import SagaSimulation
import Testing

@Suite struct FaultPairsTests {
    private func pairs(
        _ definition: Definition, _ input: String = "{}", seed: UInt64 = 0
    ) throws -> FaultPairs {
        let matrix = try FaultMatrix(definition, input: RawJSON(validating: input), seed: seed)
        return try FaultPairs(matrix, of: matrix.run().cases)
    }

    private func name(_ part: FaultPairs.Part) -> String {
        "\(part.target) \(part.fault.rawValue)\(part.attempt > 1 ? " from \(part.attempt)" : "")"
    }

    /// Each line: the first fault, a status with what stands, and the second ones that lead to it.
    private func lines(_ pairs: FaultPairs) throws -> [String] {
        var lines: [(start: String, seconds: [String])] = []
        for (pair, outcome) in zip(pairs.pairs, try pairs.run()) {
            let end = ([outcome.status.name] + outcome.effects + outcome.problems).joined(separator: " ")
            let start = "\(name(pair.first)), \(end): "
            if let line = lines.firstIndex(where: { $0.start == start }) {
                lines[line].seconds.append(name(pair.second))
            } else {
                lines.append((start, [name(pair.second)]))
            }
        }
        return lines.map { $0.start + $0.seconds.joined(separator: ", ") }
    }

    @Test func whatTwoFaultsComeTo() throws {
        let definition = try Samples.list(["a"], retry: #"{"maximumAttempts": 2, "jitter": "none"}"#)
        let seen = try lines(pairs(definition))
        #expect(
            seen == [
                "a refuses, compensated: a cancel, a deadline",
                "a unreachable, compensated: a cancel, a deadline, a refuses from 2, a unreachable from 2, a "
                    + "lost from 2, a timeout from 2, a straggles from 2, a daemon dies before the call from 2, a "
                    + "daemon dies after the call from 2, a cancel from 2, a deadline from 2",
                "a unreachable, completed a: a daemon dies after the commit from 2",
                "a lost, stuck a: a:compensation refuses, a:compensation unreachable, a:compensation timeout",
                "a lost, stuck: a:compensation lost",
                "a lost, compensated: a:compensation daemon dies before the call, a:compensation daemon dies "
                    + "after the call, a:compensation daemon dies after the commit, a cancel, a deadline, a refuses "
                    + "from 2, a unreachable from 2, a lost from 2, a timeout from 2, a straggles from 2, a daemon "
                    + "dies before the call from 2, a daemon dies after the call from 2, a cancel from 2, a "
                    + "deadline from 2",
                "a lost, completed a: a daemon dies after the commit from 2",
                "a timeout, stuck: a:compensation refuses, a:compensation unreachable, a:compensation lost, "
                    + "a:compensation timeout",
                "a timeout, compensated: a:compensation daemon dies before the call, a:compensation daemon "
                    + "dies after the call, a:compensation daemon dies after the commit, a cancel, a deadline, a "
                    + "refuses from 2, a unreachable from 2, a lost from 2, a timeout from 2, a straggles from 2, a "
                    + "daemon dies before the call from 2, a daemon dies after the call from 2, a cancel from 2, a "
                    + "deadline from 2",
                "a timeout, completed a: a daemon dies after the commit from 2",
                "a straggles, stuck a: a:compensation refuses, a:compensation unreachable, a:compensation timeout",
                "a straggles, stuck: a:compensation lost",
                "a straggles, compensated: a:compensation daemon dies before the call, a:compensation daemon "
                    + "dies after the call, a:compensation daemon dies after the commit, a cancel, a deadline, a "
                    + "refuses from 2, a unreachable from 2, a lost from 2, a timeout from 2, a straggles from 2, a "
                    + "daemon dies before the call from 2, a daemon dies after the call from 2, a cancel from 2, a "
                    + "deadline from 2",
                "a straggles, completed a: a daemon dies after the commit from 2",
                "a daemon dies before the call, stuck a: a:compensation refuses, a:compensation unreachable, "
                    + "a:compensation timeout",
                "a daemon dies before the call, stuck: a:compensation lost",
                "a daemon dies before the call, compensated: a:compensation daemon dies before the call, "
                    + "a:compensation daemon dies after the call, a:compensation daemon dies after the commit, a "
                    + "cancel, a deadline, a refuses from 2, a unreachable from 2, a lost from 2, a timeout from 2, "
                    + "a straggles from 2, a daemon dies before the call from 2, a daemon dies after the call from "
                    + "2, a cancel from 2, a deadline from 2",
                "a daemon dies before the call, completed a: a daemon dies after the commit from 2",
                "a daemon dies after the call, stuck a: a:compensation refuses, a:compensation unreachable, "
                    + "a:compensation timeout",
                "a daemon dies after the call, stuck: a:compensation lost",
                "a daemon dies after the call, compensated: a:compensation daemon dies before the call, "
                    + "a:compensation daemon dies after the call, a:compensation daemon dies after the commit, a "
                    + "cancel, a deadline, a refuses from 2, a unreachable from 2, a lost from 2, a timeout from 2, "
                    + "a straggles from 2, a daemon dies before the call from 2, a daemon dies after the call from "
                    + "2, a cancel from 2, a deadline from 2",
                "a daemon dies after the call, completed a: a daemon dies after the commit from 2",
                "a daemon dies after the commit, stuck a: a:compensation refuses, a:compensation unreachable, "
                    + "a:compensation timeout",
                "a daemon dies after the commit, stuck: a:compensation lost",
                "a daemon dies after the commit, compensated: a:compensation daemon dies before the call, "
                    + "a:compensation daemon dies after the call, a:compensation daemon dies after the commit, a "
                    + "cancel, a deadline",
                "a cancel, stuck a: a:compensation refuses, a:compensation unreachable, a:compensation timeout",
                "a cancel, stuck: a:compensation lost",
                "a cancel, compensated: a:compensation daemon dies before the call, a:compensation daemon "
                    + "dies after the call, a:compensation daemon dies after the commit, a deadline",
                "a deadline, stuck a: a:compensation refuses, a:compensation unreachable, a:compensation timeout",
                "a deadline, stuck: a:compensation lost",
                "a deadline, compensated: a:compensation daemon dies before the call, a:compensation daemon "
                    + "dies after the call, a:compensation daemon dies after the commit",
                "a:compensation unreachable, stuck a: a:compensation refuses from 2, a:compensation "
                    + "unreachable from 2, a:compensation timeout from 2, a:compensation daemon dies before the "
                    + "call from 2",
                "a:compensation unreachable, stuck: a:compensation lost from 2, a:compensation daemon dies "
                    + "after the call from 2",
                "a:compensation unreachable, compensated: a:compensation daemon dies after the commit from 2",
                "a:compensation lost, stuck: a:compensation refuses from 2, a:compensation unreachable from "
                    + "2, a:compensation lost from 2, a:compensation timeout from 2, a:compensation daemon dies "
                    + "before the call from 2, a:compensation daemon dies after the call from 2",
                "a:compensation lost, compensated: a:compensation daemon dies after the commit from 2",
                "a:compensation timeout, stuck a: a:compensation refuses from 2, a:compensation unreachable "
                    + "from 2, a:compensation timeout from 2, a:compensation daemon dies before the call from 2",
                "a:compensation timeout, stuck: a:compensation lost from 2, a:compensation daemon dies after "
                    + "the call from 2",
                "a:compensation timeout, compensated: a:compensation daemon dies after the commit from 2",
                "a:compensation daemon dies before the call, stuck a: a:compensation refuses from 2, "
                    + "a:compensation unreachable from 2, a:compensation timeout from 2, a:compensation daemon dies "
                    + "before the call from 2",
                "a:compensation daemon dies before the call, stuck: a:compensation lost from 2, "
                    + "a:compensation daemon dies after the call from 2",
                "a:compensation daemon dies before the call, compensated: a:compensation daemon dies after "
                    + "the commit from 2",
                "a:compensation daemon dies after the call, stuck: a:compensation refuses from 2, "
                    + "a:compensation unreachable from 2, a:compensation lost from 2, a:compensation timeout from "
                    + "2, a:compensation daemon dies before the call from 2, a:compensation daemon dies after the "
                    + "call from 2",
                "a:compensation daemon dies after the call, compensated: a:compensation daemon dies after the "
                    + "commit from 2",
            ])
    }

    @Test func noPairComesTwice() throws {
        let pairs = try pairs(Samples.list(["a", "b"], breaker: "{}"))
        #expect(Set(pairs.pairs.map { Set([$0.first, $0.second]) }).count == pairs.pairs.count)
        #expect(pairs.pairs.count == 577)
    }

    /// Where the answer is lost once and then refused, only the second fault shows what the first has left.
    @Test func aHoleThatNoSingleFaultShows() throws {
        let definition = try Samples.definition(
            """
            {"saga": "inn", "services": {"s": {"url": "http://s", "circuitBreaker": false}}, "steps": [
              {"name": "room", "compensateWhen": "succeeded",
               "action": {"http": {"service": "s", "path": "/"}, "retry": {"maximumAttempts": 0}},
               "compensation": {"http": {"service": "s", "path": "/undo"}}}]}
            """)
        let matrix = FaultMatrix(definition, input: .null)
        let cases = try matrix.run().cases
        #expect(cases.allSatisfy { $0.problems.isEmpty })
        let pairs = try FaultPairs(matrix, of: cases)
        let wrong = zip(pairs.pairs, try pairs.run()).filter { !$0.1.problems.isEmpty }
        #expect(wrong.allSatisfy { $0.1.problems == ["room still has its effect, though the saga is compensated"] })
        #expect(
            wrong.map { "\(name($0.0.first)) + \(name($0.0.second))" } == [
                "room lost + room cancel",
                "room lost + room deadline",
                "room lost + room refuses from 2",
                "room straggles + room cancel",
                "room straggles + room deadline",
                "room straggles + room refuses from 2",
                "room daemon dies after the call + room cancel",
                "room daemon dies after the call + room deadline",
                "room daemon dies after the call + room refuses from 2",
                "room daemon dies after the commit + room deadline",
            ])
    }

    @Test func aSampleIsTheSameForASeed() throws {
        let definition = try Samples.list(["a", "b"])
        let all = try pairs(definition)
        func names(_ pairs: FaultPairs) -> [String] { pairs.pairs.map { "\(name($0.first)) + \(name($0.second))" } }
        let sample = names(all.sampled(20))
        #expect(sample.count == 20)
        #expect(names(all.sampled(20)) == sample)
        #expect(names(all).filter(Set(sample).contains) == sample)
        #expect(try names(pairs(definition, seed: 1).sampled(20)) != sample)
        #expect(names(all.sampled(all.total)) == names(all))
        #expect(all.sampled(0).pairs.isEmpty)
        #expect(all.sampled(20).total == all.total)
    }

    @Test func threadsChangeNothing() throws {
        let matrix = try FaultMatrix(Samples.list(["a", "b"], breaker: "{}"), input: .null)
        let onAll: FaultMatrix.Spread = { count, work in
            DispatchQueue.concurrentPerform(iterations: count) { work(count - 1 - $0) }
        }
        let cases = try matrix.run().cases
        let again = try matrix.run(on: onAll).cases
        #expect(again.map(\.result) == cases.map(\.result))
        let pairs = try FaultPairs(matrix, of: cases).sampled(40)
        let other = try FaultPairs(matrix, of: again, on: onAll).sampled(40)
        #expect(try other.run(on: onAll) == pairs.run())
    }
}
