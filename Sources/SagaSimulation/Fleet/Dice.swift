import SagaCore
import Synchronization

/// All chance of a simulation, from its seed: as everything runs in one order, so do the draws.
final class Dice: Sendable {
    private let generator: Mutex<SplitMix64>

    init(seed: UInt64) {
        generator = Mutex(SplitMix64(state: seed))
    }

    func next() -> UInt64 { generator.withLock { $0.next() } }

    /// From 0 to below `count`, which is above 0.
    func roll(_ count: Int) -> Int { Int(next() % UInt64(max(1, count))) }

    func roll(_ range: ClosedRange<Int>) -> Int { range.lowerBound + roll(range.count) }

    /// True so many times in a thousand; draws nothing for zero.
    func chance(_ perMille: Int) -> Bool { perMille > 0 && roll(1_000) < perMille }

    func milliseconds(_ range: ClosedRange<Int>) -> TimeSpan { .milliseconds(Int64(roll(range))) }

    func pick<Element>(_ elements: [Element]) -> Element? {
        elements.isEmpty ? nil : elements[roll(elements.count)]
    }
}
