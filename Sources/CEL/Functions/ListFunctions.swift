import JSON

/// What lists can do beyond the standard: `sum`, `min`, `max`, `distinct`, and `join` from the strings extension.
enum ListFunctions {
    static let functions: [Function] = [
        .member("sum", takes(.list(.dyn), gives: .dyn), body: sum),
        .member("min", takes(.list(.dyn), gives: .dyn)) { (call, frame) throws(CELError) in
            try extreme(call, &frame, replacing: .before)
        },
        .member("max", takes(.list(.dyn), gives: .dyn)) { (call, frame) throws(CELError) in
            try extreme(call, &frame, replacing: .after)
        },
        .member("distinct", takes(.list(.dyn), gives: .list(.dyn)), body: distinct),
        .member("join", takes(.list(.dyn), gives: .string), body: join),
        .member("join", takes(.list(.dyn), .string, gives: .string), body: join),
    ]

    /// The sum of numbers or durations; 0 for an empty list.
    private static func sum(_ call: Function.Call, _ frame: inout Frame) throws(CELError) -> CELValue {
        guard let elements = call.a.elements else { throw call.mismatch() }
        guard elements.count > 0 else { return .int(0) }
        var total = try frame.native(elements[0], at: call.offset)
        switch total {
        case .int, .uint, .double, .duration: break
        default: throw call.fault("'sum' adds numbers or durations, not \(Access.noun(total))")
        }
        for index in 1..<max(elements.count, 1) {
            try frame.spend(at: call.offset)
            let next = try frame.native(elements[index], at: call.offset)
            total = try Arithmetic.sum(total, next, &frame, at: call.offset)
        }
        return total
    }

    /// The first element that no other precedes, or follows; as it is in the list.
    private static func extreme(
        _ call: Function.Call,
        _ frame: inout Frame,
        replacing order: Comparison.Order
    ) throws(CELError) -> CELValue {
        guard let elements = call.a.elements else { throw call.mismatch() }
        guard elements.count > 0 else { throw call.fault("'\(call.name)' of an empty list") }
        var best = elements[0]
        for index in 0..<elements.count {
            try frame.spend(at: call.offset)
            let candidate = elements[index]
            let a = try frame.native(candidate, at: call.offset)
            let b = try frame.native(best, at: call.offset)
            switch try Comparison.order(a, b, &frame, at: call.offset) {
            case nil: throw call.fault("'\(call.name)' can't compare \(Access.noun(a)) with \(Access.noun(b))")
            case Comparison.Order.none?: throw call.fault("'\(call.name)' of a list with NaN")
            case order?: best = candidate
            default: break
            }
        }
        return best
    }

    /// The elements without those that equal an earlier one.
    private static func distinct(_ call: Function.Call, _ frame: inout Frame) throws(CELError) -> CELValue {
        guard let elements = call.a.elements else { throw call.mismatch() }
        try frame.produce(elements: elements.count, at: call.offset)
        var kept: [CELValue] = []
        var seen: [Int: [Int]] = [:]
        for index in 0..<elements.count {
            let value = elements[index]
            var hasher = Hasher()
            try hash(value, into: &hasher, &frame, at: call.offset)
            let hash = hasher.finalize()
            var isNew = true
            for earlier in seen[hash] ?? [] {
                try frame.spend(at: call.offset)
                if try Comparison.equal(kept[earlier], value, &frame, at: call.offset) {
                    isNew = false
                    break
                }
            }
            guard isNew else { continue }
            seen[hash, default: []].append(kept.count)
            kept.append(value)
        }
        return .list(kept)
    }

    /// A hash that is the same for values that `==` calls equal.
    private static func hash(
        _ value: CELValue,
        into hasher: inout Hasher,
        _ frame: inout Frame,
        at offset: Int
    ) throws(CELError) {
        try frame.spend(at: offset)
        let value = try frame.native(value, at: offset)
        switch value {
        case .null: hasher.combine(0)
        case .bool(let truth): hasher.combine(truth)
        case .int(let number): hasher.combine(Double(number))
        case .uint(let number): hasher.combine(Double(number))
        case .double(let number): hasher.combine(number)
        case .string(let text):
            try frame.spend(reading: text.utf8.count, at: offset)
            hasher.combine(text)
        case .bytes(let bytes):
            try frame.spend(reading: bytes.count, at: offset)
            hasher.combine(bytes)
        case .timestamp(let moment): hasher.combine(moment)
        case .duration(let length): hasher.combine(length)
        case .type(let name): hasher.combine(name)
        case .list, .json(.array):
            guard let elements = value.elements else { return }
            for index in 0..<elements.count { try hash(elements[index], into: &hasher, &frame, at: offset) }
        case .map, .json, .object:
            // The order of entries doesn't matter to equality, so it mustn't to the hash.
            guard let entries = try Entries(value) else { return }
            var unordered = 0
            for index in 0..<entries.count {
                let (key, value) = try entries.entry(index)
                var one = Hasher()
                try hash(key, into: &one, &frame, at: offset)
                try hash(value, into: &one, &frame, at: offset)
                unordered ^= one.finalize()
            }
            hasher.combine(unordered)
        }
    }

    private static func join(_ call: Function.Call, _ frame: inout Frame) throws(CELError) -> CELValue {
        guard let elements = call.a.elements else { throw call.mismatch() }
        var separator = ""
        if call.count == 2 {
            guard case .string(let text) = call.b else { throw call.mismatch() }
            separator = text
        }
        var result = ""
        for index in 0..<elements.count {
            guard case .string(let text) = elements[index].native else {
                throw call.fault("'join' takes strings, not \(Access.noun(elements[index].native))")
            }
            let added = text.utf8.count + (index > 0 ? separator.utf8.count : 0)
            try frame.spend(at: call.offset)
            try frame.produce(added, at: call.offset)
            if index > 0 { result += separator }
            result += text
        }
        return .string(result)
    }
}
