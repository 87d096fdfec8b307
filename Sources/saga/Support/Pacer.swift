/// Spreads work evenly over time: so many a second at most, with no burst after a pause.
struct Pacer {
    private let interval: Duration
    private var next: ContinuousClock.Instant?

    /// - Parameter rate: how many a second; 0 is without limit.
    init(rate: Int) {
        interval = rate > 0 ? .seconds(1) / rate : .zero
    }

    /// Waits until the next may begin, or `isOver` says that none will.
    mutating func wait(unless isOver: () -> Bool) async throws {
        while let next, !isOver() {
            let left = next - ContinuousClock.now
            guard left > .zero else { break }
            try await Task.sleep(for: min(left, .milliseconds(50)))
        }
        next = max(next ?? .now, .now) + interval
    }
}
