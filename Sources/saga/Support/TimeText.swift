import SagaCore

extension TimeSpan {
    /// The length in its two largest units or with decimals, such as `85ms`, `1.25s`, `2m 5s` or `3d 4h`.
    var short: String {
        let total = microseconds.magnitude
        let milliseconds = total / 1_000
        let seconds = total / 1_000_000
        switch seconds {
        case 0: return "\(milliseconds)ms"
        case 1..<10:
            let hundredths = milliseconds % 1_000 / 10
            return hundredths == 0 ? "\(seconds)s" : "\(seconds).\(hundredths < 10 ? "0" : "")\(hundredths)s"
        case 10..<60: return "\(seconds)s"
        case 60..<3_600: return pair(seconds / 60, "m", seconds % 60, "s")
        case 3_600..<86_400: return pair(seconds / 3_600, "h", seconds % 3_600 / 60, "m")
        default: return pair(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h")
        }
    }

    private func pair(_ large: UInt64, _ largeUnit: String, _ small: UInt64, _ smallUnit: String) -> String {
        small == 0 ? "\(large)\(largeUnit)" : "\(large)\(largeUnit) \(small)\(smallUnit)"
    }
}

extension Instant {
    /// Where the instant lies seen from `now`, to the second: `3m 5s ago`, `in 12s` or `now`.
    func relative(to now: Instant) -> String {
        let span = self - now
        let seconds = span.microseconds / 1_000_000
        if seconds == 0 { return "now" }
        let text = TimeSpan.seconds(seconds).short
        return seconds < 0 ? "\(text) ago" : "in \(text)"
    }

    /// Date and time as events are listed, such as `11-21 09:30:00.125`, in UTC.
    var compact: String {
        let text = self.text
        return text.dropFirst(5).prefix(5) + " " + text.dropFirst(11).prefix(12)
    }
}
