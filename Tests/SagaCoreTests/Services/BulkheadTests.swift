import SagaCore
import Testing

/// Permits that several daemons share.
@Suite struct BulkheadTests {
    private static func service(_ limit: Int) -> SharedService {
        var service = SharedService()
        service.settings.maxConcurrent = limit
        return service
    }

    @Test func oneAloneHasWhatItWantsUpToTheLimit() {
        var service = Self.service(10)
        #expect(service.exchange(wanted: 3).permits == 3)
        #expect(service.exchange(wanted: 100, inUse: 3).permits == 10)
        #expect(service.exchange(wanted: 0, inUse: 10).permits == 10)
        #expect(service.exchange(wanted: 0, inUse: 2).permits == 2)
        #expect(service.state.bulkhead.held(at: service.now) == 2)
        #expect(service.exchange().permits == 0)
        #expect(service.state.json.text == #"{"breaker":{"state":"CLOSED","since":0,"generation":1},"by":1}"#)
        let idle = service.exchange()
        #expect(!idle.changed)
    }

    @Test func whoHasMoreThanItsShareGivesWayAsItsCallsEnd() {
        var service = Self.service(10)
        #expect(service.exchange(daemon: 1, wanted: 100).permits == 10)
        #expect(service.exchange(daemon: 2, wanted: 100).permits == 0)
        // Told of its share, it holds what is in flight.
        #expect(service.exchange(daemon: 1, wanted: 90, inUse: 10).permits == 5)
        #expect(service.exchange(daemon: 2, wanted: 100).permits == 0)
        #expect(service.exchange(daemon: 1, wanted: 90, inUse: 7).permits == 5)
        #expect(service.exchange(daemon: 2, wanted: 100).permits == 3)
        #expect(service.exchange(daemon: 1, wanted: 90, inUse: 4).permits == 5)
        #expect(service.exchange(daemon: 2, wanted: 97, inUse: 3).permits == 5)
        // One that wants little leaves the rest to the others.
        #expect(service.exchange(daemon: 3, wanted: 1).permits == 0)
        #expect(service.exchange(daemon: 1, wanted: 90, inUse: 3).permits == 5)
        #expect(service.exchange(daemon: 2, wanted: 95, inUse: 4).permits == 4)
        #expect(service.exchange(daemon: 3, wanted: 1).permits == 1)
        #expect(service.state.bulkhead.held(at: service.now) == 10)
    }

    @Test func theDeadsPermitsComeBackWhenTheirCallsHaveEndedForCertain() {
        var service = Self.service(4)
        let report = ServiceReport(
            daemon: 1, inUse: 3, inUseUntil: at(20), wanted: 0, longestTimeout: .seconds(5))
        #expect(service.state.exchange(report, settings: service.settings, now: at(0)).permits == 3)
        #expect(service.exchange(daemon: 2, wanted: 9).permits == 1)
        service.now = at(19.999_999)
        #expect(service.exchange(daemon: 2, wanted: 9).permits == 1)
        service.now = at(20)
        #expect(service.exchange(daemon: 2, wanted: 9).permits == 4)
        // What was granted may have been begun at the grant's end.
        service.wait(30.499_999)
        #expect(service.exchange(daemon: 3, wanted: 9).permits == 0)
        service.wait(0.000_001)
        #expect(service.exchange(daemon: 3, wanted: 9).permits == 4)
    }

    /// While a report is under way a call may still begin where one ends: its permit must last as long.
    @Test func aPermitLastsForWhatBeginsWhileTheReportIsUnderWay() {
        for wanted in [0, 5] {
            var service = Self.service(1)
            service.exchange(daemon: 2, wanted: 9)
            service.wait(60)
            let report = ServiceReport(
                daemon: 1, inUse: 1, inUseUntil: at(61), wanted: wanted, longestTimeout: .seconds(5))
            #expect(service.state.exchange(report, settings: service.settings, now: at(60)).permits == 1)
            service.now = at(65.499_999)
            #expect(service.state.bulkhead.held(at: service.now) == 1)
            #expect(service.exchange(daemon: 3, wanted: 1).permits == 0)
            service.now = at(65.5)
            #expect(service.exchange(daemon: 3, wanted: 1).permits == 1)
        }
    }

    @Test func aLowerLimitIsReachedAsCallsEnd() {
        var service = Self.service(10)
        service.exchange(daemon: 1, wanted: 6)
        service.exchange(daemon: 2, wanted: 4)
        service.settings.maxConcurrent = 5
        #expect(service.exchange(daemon: 1, inUse: 6).permits == 1)
        #expect(service.exchange(daemon: 2, inUse: 4).permits == 4)
        #expect(service.exchange(daemon: 1, wanted: 9, inUse: 0).permits == 1)
        service.settings.maxConcurrent = nil
        #expect(service.exchange(daemon: 1, wanted: 9, inUse: 1).permits == nil)
        let again = service.exchange(daemon: 1, wanted: 9, inUse: 1)
        #expect(!again.changed)
    }

    @Test func nothingBeginsWhileTheBreakerIsOpenAndOnlyProbesAfterIt() {
        var service = Self.service(10)
        service.exchange(wanted: 8)
        service.openAndWait()
        service.state = {
            var state = service.state
            _ = state.exchange(
                ServiceReport(daemon: 1, inUse: 2, inUseUntil: at(99), wanted: 50), settings: service.settings,
                now: at(59.9))
            return state
        }()
        #expect(service.state.bulkhead.held(at: service.now) == 2)
        #expect(service.exchange(wanted: 50, inUse: 2).permits == 5)
        #expect(service.exchange(daemon: 2, wanted: 50).permits == 0)
    }

    /// Any daemons at any limit: what runs never passes it, whoever dies, and each gets its turn.
    @Test(arguments: [1, 2, 3, 4, 7, 64]) func whateverHappensTheLimitHoldsAndNobodyStarves(limit: Int) {
        for seed in 0..<UInt64(6) {
            for daemons in [2, 3, 5] {
                var run = BulkheadRun(seed: seed, daemons: daemons, limit: limit)
                run.run(steps: 2_000)
                #expect(run.mostInFlight <= limit, "seed \(seed), \(daemons) daemons")
                #expect(run.mostHeld <= limit, "seed \(seed), \(daemons) daemons")
                let starved = run.longestWait.filter { $0 > .seconds(30) }
                #expect(starved.isEmpty, "seed \(seed), \(daemons) daemons: \(run.longestWait.map(\.seconds))")
            }
        }
    }

    /// Among daemons that want without end each has about as much, and little is left unused.
    @Test(arguments: [(1, 3), (2, 3), (4, 3), (10, 3), (64, 5)]) func sharesAreFair(_ limit: Int, _ daemons: Int) {
        var run = BulkheadRun(seed: 7, daemons: daemons, limit: limit, isSteady: true)
        run.run(steps: 8_000)
        let total = run.began.reduce(0, +)
        for began in run.began {
            #expect(began * daemons > total * 8 / 10, "\(run.began)")
        }
        #expect(run.usage > 0.6, "\(run.usage)")
        #expect(run.mostInFlight <= limit)
    }
}

/// Daemons that begin calls on their grants, as the engine does, with lost answers, late reports and deaths.
private struct BulkheadRun {
    private struct Daemon {
        var number: Int32
        var ends: [(end: Instant, latest: Instant)] = []
        var permits = 0
        var validUntil = at(0)
        var wanted = 0
        /// A report that was made and whose exchange is still to come.
        var pending: ServiceReport?
        var hungrySince: Instant?
    }

    private let limit: Int
    private let isSteady: Bool
    private var random: SeededGenerator
    private var daemons: [Daemon]
    /// Ends of the calls of daemons that died.
    private var orphans: [Instant] = []
    private var service = SharedService()
    private var nextNumber: Int32
    private var busyTime = 0.0
    private var time = 0.0
    private(set) var mostInFlight = 0
    private(set) var mostHeld = 0
    private(set) var longestWait: [TimeSpan]
    private(set) var began: [Int]

    init(seed: UInt64, daemons count: Int, limit: Int, isSteady: Bool = false) {
        self.limit = limit
        self.isSteady = isSteady
        random = SeededGenerator(seed: seed)
        daemons = (0..<count).map { Daemon(number: Int32($0)) }
        nextNumber = Int32(count)
        longestWait = Array(repeating: .zero, count: count)
        began = Array(repeating: 0, count: count)
        service.settings.maxConcurrent = limit
    }

    var usage: Double { busyTime / (time * Double(limit)) }

    private var inFlight: Int {
        daemons.reduce(orphans.count) { $0 + $1.ends.count { $0.end > service.now } }
    }

    mutating func run(steps: Int) {
        for _ in 0..<steps {
            let pause = Int64.random(in: 0...20_000, using: &random)
            busyTime += Double(inFlight) * Double(pause)
            time += Double(pause)
            service.now = service.now + TimeSpan(microseconds: pause)
            let now = service.now
            orphans.removeAll { $0 <= now }
            step(Int.random(in: daemons.indices, using: &random))
            mostInFlight = max(mostInFlight, inFlight)
            mostHeld = max(mostHeld, service.state.bulkhead.held(at: now))
        }
    }

    private mutating func step(_ index: Int) {
        let now = service.now
        daemons[index].ends.removeAll { $0.end <= now }
        if isSteady { daemons[index].wanted = 1_000 } else { daemons[index].wanted = randomWish(daemons[index].wanted) }
        if !isSteady, Int.random(in: 0..<200, using: &random) == 0 { return die(index) }
        noteHunger(index)
        if let report = daemons[index].pending {
            daemons[index].pending = nil
            let grant = service.state.exchange(report, settings: service.settings, now: now)
            // One answer in ten is lost; the report was written all the same.
            if isSteady || Int.random(in: 0..<10, using: &random) > 0 {
                daemons[index].permits = grant.permits ?? .max
                daemons[index].validUntil = grant.validUntil
            }
        }
        begin(index)
        report(index)
    }

    private mutating func randomWish(_ last: Int) -> Int {
        switch Int.random(in: 0..<20, using: &random) {
        case 0: 0
        case 1: 1
        case 2: Int.random(in: 0...2 * limit, using: &random)
        case 3: 1_000
        default: last
        }
    }

    private mutating func begin(_ index: Int) {
        let now = service.now
        guard now <= daemons[index].validUntil else { return }
        while daemons[index].wanted > 0, daemons[index].ends.count < daemons[index].permits {
            let length = TimeSpan(microseconds: Int64.random(in: 1_000...300_000, using: &random))
            // One in thirty runs into its timeout.
            let isSlow = !isSteady && Int.random(in: 0..<30, using: &random) == 0
            let latest = now + .seconds(5)
            daemons[index].ends.append((isSlow ? latest : now + length, latest))
            daemons[index].wanted -= 1
            daemons[index].hungrySince = nil
            began[index] += 1
        }
    }

    private mutating func report(_ index: Int) {
        let daemon = daemons[index]
        daemons[index].permits = daemon.ends.count
        daemons[index].pending = ServiceReport(
            daemon: daemon.number, inUse: daemon.ends.count, inUseUntil: daemon.ends.map(\.latest).max(),
            wanted: daemon.wanted, longestTimeout: .seconds(5))
    }

    private mutating func noteHunger(_ index: Int) {
        let daemon = daemons[index]
        guard daemon.wanted > 0, daemon.ends.isEmpty else {
            daemons[index].hungrySince = nil
            return
        }
        let since = daemon.hungrySince ?? service.now
        daemons[index].hungrySince = since
        longestWait[index] = max(longestWait[index], service.now - since)
    }

    /// A daemon dies with its calls in flight, and another takes its place.
    private mutating func die(_ index: Int) {
        orphans += daemons[index].ends.map(\.end)
        daemons[index] = Daemon(number: nextNumber)
        nextNumber += 1
    }
}
