/// Timestamps and durations: conversions and getters.
enum TimeFunctions {
    static let functions: [Function] =
        [
            .global(
                "timestamp",
                takes(.timestamp, gives: .timestamp),
                takes(.string, gives: .timestamp),
                takes(.int, gives: .timestamp),
                body: timestamp
            ),
            .global("duration", takes(.duration, gives: .duration), takes(.string, gives: .duration), body: duration),
        ] + plain + zoned(nil).values.sorted { $0.name < $1.name }

    /// The parts of a date in the order of their names; `getHours` and its like are asked of durations too.
    private static let parts: [(name: String, part: @Sendable (CivilTime, CELTimestamp) -> Int64)] = [
        ("getDate", { (civil, _) in civil.day }),
        ("getDayOfMonth", { (civil, _) in civil.day - 1 }),
        ("getDayOfWeek", { (civil, _) in civil.dayOfWeek }),
        ("getDayOfYear", { (civil, _) in civil.dayOfYear }),
        ("getFullYear", { (civil, _) in civil.year }),
        ("getHours", { (civil, _) in civil.hour }),
        ("getMilliseconds", { (_, moment) in Int64(moment.nanoseconds) / 1_000_000 }),
        ("getMinutes", { (civil, _) in civil.minute }),
        ("getMonth", { (civil, _) in civil.month - 1 }),
        ("getSeconds", { (civil, _) in civil.second }),
    ]

    /// A duration's whole hours, minutes or seconds; milliseconds are those beyond the seconds, as with timestamps.
    private static let durationParts: [String: @Sendable (Int64) -> Int64] = [
        "getHours": { $0 / 3_600_000_000_000 },
        "getMinutes": { $0 / 60_000_000_000 },
        "getSeconds": { $0 / 1_000_000_000 },
        "getMilliseconds": { $0 % 1_000_000_000 / 1_000_000 },
    ]

    private static let plain: [Function] = parts.map { (name, part) in
        let ofDuration = durationParts[name]
        let overloads =
            [takes(.timestamp, gives: .int)] + (ofDuration == nil ? [] : [takes(.duration, gives: .int)])
        return Function(name: name, isMember: true, overloads: overloads) { (call, _) throws(CELError) in
            switch call.a {
            case .timestamp(let moment): return .int(part(CivilTime(unixSeconds: moment.seconds), moment))
            case .duration(let length):
                guard let ofDuration else { throw call.mismatch() }
                return .int(ofDuration(length.nanoseconds))
            default: throw call.mismatch()
            }
        }
    }

    /// The getters that take a time zone, by name.
    static func zoned(_ zones: (any CELTimeZones)?) -> [String: Function] {
        var functions: [String: Function] = [:]
        for (name, part) in parts {
            functions[name] = .member(name, takes(.timestamp, .string, gives: .int)) { (call, _) throws(CELError) in
                guard case .timestamp(let moment) = call.a, case .string(let zone) = call.b else {
                    throw call.mismatch()
                }
                let offset: Int64
                if zone == "UTC" || zone == "Z" {
                    offset = 0
                } else if let fixed = utcOffset(zone) {
                    offset = fixed
                } else if let named = zones?.secondsAhead(of: zone, at: moment.seconds), named.magnitude < 172_800 {
                    offset = Int64(named)
                } else {
                    throw call.fault("the time zone '\(zone)' is not known")
                }
                return .int(part(CivilTime(unixSeconds: moment.seconds + offset), moment))
            }
        }
        return functions
    }

    private static func timestamp(_ call: Function.Call, _ frame: inout Frame) throws(CELError) -> CELValue {
        switch call.a {
        case .timestamp: return call.a
        case .int(let seconds):
            guard let moment = CELTimestamp(seconds: seconds) else {
                throw call.fault("the timestamp lies outside the years 1 to 9999")
            }
            return .timestamp(moment)
        case .string(let text):
            guard let moment = CELTimestamp(text) else {
                throw call.fault("this text is not a date and time such as 2026-01-31T10:00:00Z")
            }
            return .timestamp(moment)
        default: throw call.mismatch()
        }
    }

    private static func duration(_ call: Function.Call, _ frame: inout Frame) throws(CELError) -> CELValue {
        switch call.a {
        case .duration: return call.a
        case .string(let text):
            guard let length = CELDuration(text) else { throw call.fault("this text is not a duration such as 1h30m") }
            return .duration(length)
        default: throw call.mismatch()
        }
    }
}
