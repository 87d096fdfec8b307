import SagaCore

/// The W3C trace context of an attempt (https://www.w3.org/TR/trace-context/): version 00, sampled.
enum TraceContext {
    /// The header's value, `00-TRACE-SPAN-01`.
    ///
    /// The trace is the saga: its UUID's 32 digits. The span is the attempt: the 64-bit FNV-1a hash of
    /// `STEP:SIDE:ATTEMPT`, so that whoever has the events can name the span of each.
    static func traceparent(of call: Call) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(55)
        text += "00-".utf8
        appendHexadecimal(call.saga.high, to: &text)
        appendHexadecimal(call.saga.low, to: &text)
        text.append(UInt8(ascii: "-"))
        appendHexadecimal(spanID(of: call), to: &text)
        text += "-01".utf8
        return String(decoding: text, as: UTF8.self)
    }

    private static func spanID(of call: Call) -> UInt64 {
        var hash = FowlerNollVo()
        hash.combine(call.stepName)
        hash.combine(":")
        hash.combine(call.operation.side.rawValue)
        hash.combine(":")
        hash.combine(String(call.attempt))
        // All zeros means that there is no span.
        return hash.value == 0 ? 1 : hash.value
    }

    private static let digits = Array("0123456789abcdef".utf8)

    private static func appendHexadecimal(_ word: UInt64, to text: inout [UInt8]) {
        for shift in stride(from: 60, through: 0, by: -4) {
            text.append(digits[Int(word >> UInt64(shift) & 0xF)])
        }
    }
}

/// FNV-1a in 64 bits: the same on every machine and in every run, unlike the standard library's hashing.
struct FowlerNollVo {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func combine(_ text: String) {
        for byte in text.utf8 {
            value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
        }
    }
}
