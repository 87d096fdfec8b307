import JSON

/// `==`, `<` and what is built on them.
enum Comparison {
    /// Whether two values are equal: numbers by value whatever their types, values of different kinds never.
    ///
    /// The work that it takes with long values is paid for.
    static func equal(_ a: CELValue, _ b: CELValue, _ frame: inout Frame, at offset: Int) throws(CELError) -> Bool {
        let a = try frame.native(a, at: offset)
        let b = try frame.native(b, at: offset)
        switch (a, b) {
        case (.null, .null): return true
        case (.bool(let x), .bool(let y)): return x == y
        case (.string(let x), .string(let y)):
            if x.utf8.count == y.utf8.count { try frame.spend(x.utf8.count / 64, at: offset) }
            return sameBytes(x, y)
        case (.bytes(let x), .bytes(let y)):
            if x.count == y.count { try frame.spend(x.count / 64, at: offset) }
            return x == y
        case (.timestamp(let x), .timestamp(let y)): return x == y
        case (.duration(let x), .duration(let y)): return x == y
        case (.type(let x), .type(let y)): return x == y
        default: break
        }
        if let order = numericOrder(a, b) { return order == .same }
        if let x = a.elements {
            guard let y = b.elements, x.count == y.count else { return false }
            return try equalLists(x, y, &frame, at: offset)
        }
        guard let x = try Entries(a), let y = try Entries(b), x.count == y.count else { return false }
        return try equalMaps(x, b, &frame, at: offset)
    }

    private static func equalLists(
        _ x: CELElements,
        _ y: CELElements,
        _ frame: inout Frame,
        at offset: Int
    ) throws(CELError) -> Bool {
        for index in 0..<x.count {
            try frame.spend(at: offset)
            guard try equal(x[index], y[index], &frame, at: offset) else { return false }
        }
        return true
    }

    private static func equalMaps(
        _ x: Entries,
        _ other: CELValue,
        _ frame: inout Frame,
        at offset: Int
    ) throws(CELError) -> Bool {
        for index in 0..<x.count {
            try frame.spend(at: offset)
            let (key, value) = try x.entry(index)
            try frame.spend(hashing: key, at: offset)
            guard let found = try Access.lookUp(key, in: other, at: offset),
                try equal(value, found, &frame, at: offset)
            else { return false }
        }
        return true
    }

    /// `a in b`: an element of a list or a key of a map.
    static func isIn(_ a: CELValue, _ b: CELValue, _ frame: inout Frame, at offset: Int) throws(CELError) -> Bool {
        guard let elements = b.elements else {
            try frame.spend(hashing: a, at: offset)
            if case .map = b { return try Access.lookUp(a, in: b, at: offset) != nil }
            if try Entries(b) != nil { return try Access.lookUp(a, in: b, at: offset) != nil }
            throw CELError(offset: offset, message: "'in' takes a list or a map on its right, not \(Access.noun(b))")
        }
        for index in 0..<elements.count {
            try frame.spend(at: offset)
            if try equal(a, elements[index], &frame, at: offset) { return true }
        }
        return false
    }

    // MARK: Order

    enum Order {
        case before, same, after
        /// A NaN is in no order with anything.
        case none
    }

    /// `<`, `<=`, `>` and `>=`.
    static func holds(
        _ symbol: BinaryOperator,
        _ a: CELValue,
        _ b: CELValue,
        _ frame: inout Frame,
        at offset: Int
    ) throws(CELError) -> Bool {
        guard let order = try order(a, b, &frame, at: offset) else {
            throw CELError(
                offset: offset,
                message: "'\(symbol.rawValue)' can't compare \(Access.noun(a)) with \(Access.noun(b))",
                hint: Coercion.hint(a.typeName, b.typeName)
            )
        }
        return switch symbol {
        case .less: order == .before
        case .lessOrEqual: order == .before || order == .same
        case .greater: order == .after
        default: order == .after || order == .same
        }
    }

    /// How two native values are ordered; nil when their types aren't.
    static func order(
        _ a: CELValue,
        _ b: CELValue,
        _ frame: inout Frame,
        at offset: Int
    ) throws(CELError) -> Order? {
        switch (a, b) {
        case (.string(let x), .string(let y)):
            try frame.spend(min(x.utf8.count, y.utf8.count) / 64, at: offset)
            return sequenceOrder(x.utf8, y.utf8)
        case (.bytes(let x), .bytes(let y)):
            try frame.spend(min(x.count, y.count) / 64, at: offset)
            return sequenceOrder(x, y)
        case (.bool(let x), .bool(let y)): return order(x ? 1 : 0, y ? 1 : 0)
        case (.timestamp(let x), .timestamp(let y)): return order(x, y)
        case (.duration(let x), .duration(let y)): return order(x, y)
        default: return numericOrder(a, b)
        }
    }

    private static func order<Value: Comparable>(_ a: Value, _ b: Value) -> Order {
        a < b ? .before : a == b ? .same : a > b ? .after : .none
    }

    /// By bytes, which for UTF-8 is by code points.
    private static func sequenceOrder(_ a: some Sequence<UInt8>, _ b: some Sequence<UInt8>) -> Order {
        var left = a.makeIterator()
        var right = b.makeIterator()
        while true {
            switch (left.next(), right.next()) {
            case (nil, nil): return .same
            case (nil, _): return .before
            case (_, nil): return .after
            case (let x?, let y?) where x != y: return x < y ? .before : .after
            default: break
            }
        }
    }

    private static func numericOrder(_ a: CELValue, _ b: CELValue) -> Order? {
        switch (a, b) {
        case (.int(let x), .int(let y)): order(x, y)
        case (.uint(let x), .uint(let y)): order(x, y)
        case (.double(let x), .double(let y)): order(x, y)
        case (.int(let x), .double(let y)): order(Double(x), y)
        case (.double(let x), .int(let y)): order(x, Double(y))
        case (.uint(let x), .double(let y)): order(Double(x), y)
        case (.double(let x), .uint(let y)): order(x, Double(y))
        case (.int(let x), .uint(let y)): x < 0 ? .before : order(UInt64(x), y)
        case (.uint(let x), .int(let y)): y < 0 ? .after : order(x, UInt64(y))
        default: nil
        }
    }
}

/// The entries of a map, wherever they are.
enum Entries {
    case map(CELMap)
    case json([JSONObject.Element])
    case object(any CELObject, names: [String])

    /// Nil when the value is no map.
    init?(_ value: CELValue) throws(CELError) {
        switch value {
        case .map(let map): self = .map(map)
        case .json(.object(let object)): self = .json(object.members)
        case .object(let object) where !object.isNull: self = .object(object, names: object.memberNames)
        default: return nil
        }
    }

    var count: Int {
        switch self {
        case .map(let map): map.count
        case .json(let members): members.count
        case .object(_, let names): names.count
        }
    }

    /// The key at an index.
    func key(_ index: Int) -> CELValue {
        switch self {
        case .map(let map): map.entries[index].key
        case .json(let members): .string(members[index].key)
        case .object(_, let names): .string(names[index])
        }
    }

    /// The key and the value at an index.
    func entry(_ index: Int) throws(CELError) -> (CELValue, CELValue) {
        switch self {
        case .map(let map): return map.entries[index]
        case .json(let members): return (.string(members[index].key), .json(members[index].value))
        case .object(let object, let names):
            let member = try object.member(names[index]) ?? .null
            guard case .object(let inner) = member, let value = try inner.value() else {
                return (.string(names[index]), member)
            }
            return (.string(names[index]), value)
        }
    }
}
