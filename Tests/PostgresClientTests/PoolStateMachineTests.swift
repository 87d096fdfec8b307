import Testing

@testable import PostgresClient

/// The pool's rules, with letters for connections and numbers for callers.
@Suite struct PoolStateMachineTests {
    private typealias Machine = PoolStateMachine<Character, Int>

    private let start = ContinuousClock.now
    private let refused = PostgresError(.connectFailed, "refused")

    private func backoff(_ failures: Int) -> Duration { .seconds(failures) }

    /// Feeds the machine and writes down what it wants done.
    private func describe(_ actions: Machine.Actions) -> [String] {
        var lines = actions.grants.map { waiter, outcome in
            switch outcome {
            case .success(let connection): "\(waiter) gets \(connection)"
            case .failure(let error): "\(waiter) is told: \(error.message)"
            }
        }
        if actions.opens > 0 { lines.append("open \(actions.opens)") }
        if let instant = actions.retryAt { lines.append("retry after \(start.duration(to: instant))") }
        lines += actions.closes.map { "close \($0)" }
        if actions.isDrained { lines.append("drained") }
        return lines
    }

    private func checkOut(_ machine: inout Machine, _ caller: Int, after: Duration = .zero) -> [String] {
        switch machine.checkOut(caller, at: start + after) {
        case .leased(let connection): ["\(caller) gets \(connection) at once"]
        case .refused(let error): ["\(caller) is told: \(error.message)"]
        case .waiting(_, let actions): describe(actions)
        }
    }

    @Test func opensWhenNeededAndReusesTheLastUsed() {
        var machine = Machine(maximum: 2)
        #expect(checkOut(&machine, 1) == ["open 1"])
        #expect(checkOut(&machine, 2) == ["open 1"])
        #expect(checkOut(&machine, 3) == [])
        #expect(describe(machine.opened("a", at: start)) == ["1 gets a"])
        #expect(describe(machine.giveBack("a")) == ["2 gets a"])
        #expect(describe(machine.opened("b", at: start)) == ["3 gets b"])
        #expect(describe(machine.giveBack("a")) == [])
        #expect(describe(machine.giveBack("b")) == [])
        #expect(checkOut(&machine, 4) == ["4 gets b at once"])
        #expect(checkOut(&machine, 5) == ["5 gets a at once"])
        #expect(checkOut(&machine, 6) == [])
    }

    @Test func servesInTheOrderOfComing() {
        var machine = Machine(maximum: 1)
        for caller in 1...3_000 { _ = machine.checkOut(caller, at: start) }
        var served: [String] = describe(machine.opened("a", at: start))
        for _ in 2...3_000 { served += describe(machine.giveBack("a")) }
        #expect(served == (1...3_000).map { "\($0) gets a" })
    }

    @Test func thoseWhoLeaveAreSkipped() throws {
        var machine = Machine(maximum: 1)
        #expect(checkOut(&machine, 1) == ["open 1"])
        guard case .waiting(let second, _) = machine.checkOut(2, at: start) else {
            Issue.record("caller 2 doesn't wait")
            return
        }
        #expect(checkOut(&machine, 3) == [])
        #expect(machine.abandon(second) == 2)
        #expect(machine.abandon(second) == nil)
        #expect(describe(machine.opened("a", at: start)) == ["1 gets a"])
        #expect(machine.abandon(0) == nil)
        #expect(describe(machine.giveBack("a")) == ["3 gets a"])
    }

    @Test func theQueueDoesNotGrowWithThoseWhoLeave() {
        var machine = Machine(maximum: 1)
        _ = machine.checkOut(0, at: start)
        _ = machine.checkOut(1, at: start)
        for caller in 2...10_000 {
            guard case .waiting(let number, _) = machine.checkOut(caller, at: start) else { continue }
            #expect(machine.abandon(number) == caller)
        }
        #expect(machine.queueLength < 100)
        #expect(describe(machine.opened("a", at: start)) == ["0 gets a"])
        #expect(describe(machine.giveBack("a")) == ["1 gets a"])
    }

    @Test func aLostConnectionIsReplacedForWhoWaits() {
        var machine = Machine(maximum: 1)
        _ = machine.checkOut(1, at: start)
        _ = machine.opened("a", at: start)
        #expect(checkOut(&machine, 2) == [])
        #expect(describe(machine.lose(at: start)) == ["open 1"])
        #expect(describe(machine.opened("b", at: start)) == ["2 gets b"])
        #expect(describe(machine.lose(at: start)) == [])
    }

    @Test func withoutAnyConnectionAllAreToldAndTheNextAttemptIsPutOff() {
        var machine = Machine(maximum: 2)
        for caller in 1...3 { _ = machine.checkOut(caller, at: start) }
        #expect(describe(machine.failedToOpen(refused, at: start, backoff: backoff)) == ["1 is told: refused"])
        #expect(
            describe(machine.failedToOpen(refused, at: start, backoff: backoff))
                == ["2 is told: refused", "3 is told: refused"]
        )
        // Two have failed: two seconds. One timer for all who come.
        #expect(checkOut(&machine, 4, after: .seconds(1)) == ["retry after 2.0 seconds"])
        #expect(checkOut(&machine, 5, after: .seconds(1)) == [])
        #expect(describe(machine.retryIsDue(at: start + .seconds(2))) == ["open 1"])
        #expect(checkOut(&machine, 6, after: .seconds(2)) == [])
        #expect(
            describe(machine.failedToOpen(refused, at: start + .seconds(2), backoff: backoff))
                == ["4 is told: refused", "5 is told: refused", "6 is told: refused"]
        )
        // Nobody waits: no timer. Who comes when the time is over tries at once, alone.
        #expect(describe(machine.retryIsDue(at: start + .seconds(9))) == [])
        #expect(checkOut(&machine, 7, after: .seconds(9)) == ["open 1"])
        #expect(checkOut(&machine, 8, after: .seconds(9)) == [])
        #expect(describe(machine.opened("a", at: start + .seconds(9))) == ["7 gets a", "open 1"])
        #expect(machine.consecutiveFailures == 0)
    }

    @Test func aTimerThatIsEarlyIsSetAgain() {
        var machine = Machine(maximum: 1)
        _ = machine.checkOut(1, at: start)
        _ = machine.failedToOpen(refused, at: start, backoff: backoff)
        #expect(checkOut(&machine, 2) == ["retry after 1.0 seconds"])
        #expect(describe(machine.retryIsDue(at: start + .milliseconds(999))) == ["retry after 1.0 seconds"])
        #expect(describe(machine.retryIsDue(at: start + .seconds(1))) == ["open 1"])
    }

    @Test func withAConnectionInUseOnlyTheFirstIsTold() {
        var machine = Machine(maximum: 3)
        _ = machine.checkOut(1, at: start)
        _ = machine.opened("a", at: start)
        #expect(checkOut(&machine, 2) == ["open 1"])
        #expect(checkOut(&machine, 3) == ["open 1"])
        #expect(describe(machine.failedToOpen(refused, at: start, backoff: backoff)) == ["2 is told: refused"])
        #expect(describe(machine.giveBack("a")) == ["3 gets a"])
        #expect(describe(machine.failedToOpen(refused, at: start, backoff: backoff)) == [])
        #expect(checkOut(&machine, 4) == ["retry after 2.0 seconds"])
        #expect(describe(machine.giveBack("a")) == ["4 gets a"])
        #expect(describe(machine.retryIsDue(at: start + .seconds(2))) == [])
    }

    @Test func closing() {
        var machine = Machine(maximum: 3)
        _ = machine.checkOut(1, at: start)
        _ = machine.checkOut(2, at: start)
        _ = machine.opened("a", at: start)
        _ = machine.opened("b", at: start)
        _ = machine.giveBack("b")
        _ = machine.checkOut(3, at: start)
        _ = machine.checkOut(4, at: start)
        #expect(describe(machine.close()) == ["4 is told: the connection pool is closed"])
        #expect(checkOut(&machine, 5) == ["5 is told: the connection pool is closed"])
        #expect(describe(machine.opened("c", at: start)) == ["close c"])
        #expect(describe(machine.giveBack("a")) == ["close a"])
        #expect(machine.isDrained == false)
        #expect(describe(machine.lose(at: start)) == ["drained"])
        #expect(machine.isDrained)
    }

    @Test func closingWithIdleConnections() {
        var machine = Machine(maximum: 1)
        _ = machine.checkOut(1, at: start)
        _ = machine.opened("a", at: start)
        _ = machine.giveBack("a")
        #expect(describe(machine.close()) == ["close a", "drained"])
    }
}
