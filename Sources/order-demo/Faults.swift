/// What goes wrong besides what a request itself scripts, and how long things take.
///
/// Whether a call is hit is a hash of the seed, the call's key and its attempt: the same run goes the same way again,
/// however the calls happen to interleave.
struct Faults: Sendable {
    /// The part of calls, 0 to 1, that is answered 503 before any effect.
    var errorRate = 0.0
    /// The part of calls, 0 to 1, whose effect is committed and whose answer is lost.
    var lostRate = 0.0
    /// How long every call takes at least.
    var delay: Duration = .zero
    /// How long a slow answer takes, and how long a connection stays open before its answer is lost.
    var hold: Duration = .milliseconds(400)
    var seed: UInt64 = 1

    func isRefused(key: String, attempt: Int) -> Bool {
        roll("error", key, attempt) < errorRate
    }

    func isAnswerLost(key: String, attempt: Int) -> Bool {
        roll("lost", key, attempt) < lostRate
    }

    /// A number from 0 up to but not including 1.
    private func roll(_ fault: String, _ key: String, _ attempt: Int) -> Double {
        // FNV-1a over the parts, then SplitMix64's finalizer, since FNV's high bits are poorly mixed.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ seed
        for byte in "\(fault)|\(key)|\(attempt)".utf8 {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
        }
        hash = (hash ^ (hash >> 30)) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ (hash >> 27)) &* 0x94D0_49BB_1331_11EB
        hash ^= hash >> 31
        return Double(hash >> 11) * 0x1p-53
    }
}
