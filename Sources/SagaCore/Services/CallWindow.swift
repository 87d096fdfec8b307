/// The results that decide about a breaker: the last so many calls, or those of the last so many seconds.
///
/// resilience4j's `FixedSizeSlidingWindowMetrics` and `SlidingTimeWindowMetrics` as a value.
struct CallWindow: Sendable, Hashable {
    /// What is counted of one call.
    struct Outcome: OptionSet, Sendable, Hashable {
        let rawValue: UInt8

        static let failure = Outcome(rawValue: 1)
        static let slow = Outcome(rawValue: 2)
    }

    /// Numbers of calls.
    struct Counts: Sendable, Hashable {
        var calls = 0
        var failures = 0
        var slowCalls = 0

        /// Per cent; only for `calls` above 0.
        var failureRate: Double { 100 * Double(failures) / Double(calls) }
        var slowCallRate: Double { 100 * Double(slowCalls) / Double(calls) }

        // Stored counts have a limit (`ServiceStateReader`) that leaves room for any number of calls.
        fileprivate mutating func add(_ other: Counts) {
            calls += other.calls
            failures += other.failures
            slowCalls += other.slowCalls
        }

        fileprivate mutating func remove(_ other: Counts) {
            calls -= other.calls
            failures -= other.failures
            slowCalls -= other.slowCalls
        }

        fileprivate mutating func add(_ outcome: Outcome) { add(Counts(outcome)) }

        fileprivate mutating func remove(_ outcome: Outcome) { remove(Counts(outcome)) }

        init() {}

        private init(_ outcome: Outcome) {
            calls = 1
            failures = outcome.contains(.failure) ? 1 : 0
            slowCalls = outcome.contains(.slow) ? 1 : 0
        }
    }

    /// What ended within a second, or within the width of a bucket of a longer window.
    struct Bucket: Sendable, Hashable {
        /// Since 1970, a multiple of the width that it was begun with.
        var second: Int64
        var counts: Counts
    }

    enum Size: Sendable, Hashable {
        case calls(Int)
        case seconds(Int)
    }

    /// Oldest first; empty in a window of seconds.
    private(set) var outcomes: [Outcome] = []
    /// Oldest first, seconds rising; empty in a window of calls.
    private(set) var buckets: [Bucket] = []
    /// What is in the window as of its last result.
    private(set) var counts = Counts()

    /// A window of seconds that is up to so long has a bucket a second, as resilience4j's.
    ///
    /// A longer one has so many wider ones, so that its document stays small.
    static let mostBuckets = 300

    init() {}

    init(outcomes: [Outcome]) {
        self.outcomes = outcomes
        for outcome in outcomes { counts.add(outcome) }
    }

    init(buckets: [Bucket]) {
        self.buckets = buckets
        for bucket in buckets { counts.add(bucket.counts) }
    }

    /// Counts a call, and gives what then is in the window.
    ///
    /// The size may be another one than before: the window then keeps what fits. Between calls and seconds nothing
    /// can be carried over.
    /// - Parameter at: no later than `now`.
    mutating func record(_ outcome: Outcome, at: Instant, size: Size, now: Instant) -> Counts {
        switch size {
        case .calls(let size):
            if !buckets.isEmpty { self = CallWindow() }
            outcomes.append(outcome)
            counts.add(outcome)
            let surplus = outcomes.count - max(1, size)
            if surplus > 0 {
                for outcome in outcomes.prefix(surplus) { counts.remove(outcome) }
                outcomes.removeFirst(surplus)
            }
        case .seconds(let size):
            if !outcomes.isEmpty { self = CallWindow() }
            record(outcome, second: at.second, seconds: Int64(max(1, size)), current: now.second)
        }
        return counts
    }

    private mutating func record(_ outcome: Outcome, second: Int64, seconds: Int64, current: Int64) {
        let isOver = { (bucket: Bucket) in bucket.second <= current - seconds || bucket.second > current }
        for bucket in buckets where isOver(bucket) { counts.remove(bucket.counts) }
        buckets.removeAll(where: isOver)
        let most = Int64(Self.mostBuckets)
        let width = seconds <= most ? 1 : (seconds - 1) / most + 1
        let start = second - second % width
        // Daemons report in turn: a result may be older than the newest that is there.
        guard start > current - seconds else { return }
        counts.add(outcome)
        let index = (buckets.lastIndex { $0.second <= start }).map { $0 + 1 } ?? 0
        if index > 0, buckets[index - 1].second == start {
            buckets[index - 1].counts.add(outcome)
        } else {
            var counts = Counts()
            counts.add(outcome)
            buckets.insert(Bucket(second: start, counts: counts), at: index)
        }
    }
}

extension Instant {
    /// The whole second since 1970 in which it lies; what is before that counts as the first one.
    fileprivate var second: Int64 { max(0, microseconds) / 1_000_000 }
}

extension Int {
    /// The sum, or the largest number there is.
    func addingClamped(_ other: Int) -> Int {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }
}
