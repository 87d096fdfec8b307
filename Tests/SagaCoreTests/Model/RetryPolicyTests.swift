import SagaCore
import Testing

@Suite struct RetryPolicyTests {
    @Test func theDelayGrowsByTheCoefficientUpToTheCap() {
        let policy = RetryPolicy(
            initialInterval: .milliseconds(200), backoffCoefficient: 2, maximumInterval: .seconds(10))
        let delays = (1...8).map { policy.delay(afterFailures: $0).microseconds / 1_000 }
        #expect(delays == [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000])
    }

    @Test func noAttemptNumberOverflows() {
        let policies = [
            RetryPolicy(), .compensation, RetryPolicy(initialInterval: TimeSpan(microseconds: .max)),
            RetryPolicy(initialInterval: .zero), RetryPolicy(backoffCoefficient: 1e308),
            RetryPolicy(initialInterval: TimeSpan(microseconds: .min), maximumInterval: TimeSpan(microseconds: .max)),
            RetryPolicy(backoffCoefficient: .nan), RetryPolicy(maximumInterval: TimeSpan(microseconds: .min)),
        ]
        for policy in policies {
            for failures in [Int.min, -1, 0, 1, 2, 63, 64, 1_000, 1_000_000, .max] {
                for fraction in [0, 0.5, 0.999_999_999, 1, -1, .infinity] {
                    for jitter in RetryPolicy.Jitter.allCases {
                        var spread = policy
                        spread.jitter = jitter
                        let delay = spread.delay(afterFailures: failures, fraction: fraction)
                        #expect(delay >= .zero && delay <= max(.zero, policy.maximumInterval))
                    }
                }
            }
        }
        #expect((Instant.distantFuture + TimeSpan(microseconds: .max)) == .distantFuture)
    }

    @Test func jitterStaysWithinItsBounds() {
        var policy = RetryPolicy(initialInterval: .seconds(1), maximumInterval: .seconds(1))
        policy.jitter = .full
        #expect(policy.delay(afterFailures: 1, fraction: 0) == .zero)
        #expect(policy.delay(afterFailures: 1, fraction: 0.5) == .milliseconds(500))
        policy.jitter = .equal
        #expect(policy.delay(afterFailures: 1, fraction: 0) == .milliseconds(500))
        #expect(policy.delay(afterFailures: 1, fraction: 0.5) == .milliseconds(750))
        policy.jitter = .none
        #expect(policy.delay(afterFailures: 1, fraction: 0.5) == .seconds(1))
    }

    @Test func theFractionIsTheSameForTheSameAttemptAndSpreadOverManySagas() {
        let one = jitterFraction(saga: sagaID, step: 1, isCompensation: false, attempt: 2)
        #expect(one == jitterFraction(saga: sagaID, step: 1, isCompensation: false, attempt: 2))
        #expect(one != jitterFraction(saga: sagaID, step: 1, isCompensation: true, attempt: 2))
        var buckets = Array(repeating: 0, count: 10)
        for number in 0..<UInt64(10_000) {
            let fraction = jitterFraction(
                saga: SagaID(high: number, low: number &* 7), step: 0, isCompensation: false, attempt: 1)
            buckets[Int(fraction * 10)] += 1
        }
        #expect(buckets.allSatisfy { (850...1_150).contains($0) }, "\(buckets)")
    }
}
