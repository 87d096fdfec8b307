/// What a macro goes through: a list's elements, with their index if two variables are bound, or a map's keys, with
/// their values if two are.
enum Items {
    case elements(CELElements)
    case entries(Entries)

    init(_ value: CELValue, at offset: Int) throws(CELError) {
        if let elements = value.elements {
            self = .elements(elements)
        } else if let entries = try Entries(value) {
            self = .entries(entries)
        } else {
            throw CELError(offset: offset, message: "\(Access.noun(value.native)) is neither a list nor a map")
        }
    }

    var count: Int {
        switch self {
        case .elements(let elements): elements.count
        case .entries(let entries): entries.count
        }
    }
}

/// The range and the variables that all macros have in common.
struct Iteration: Sendable {
    let range: any Node
    /// The element or key; the index or key when a second variable is bound.
    let slot: Int
    /// The element or value.
    let secondSlot: Int?
    let offset: Int

    func items(_ frame: inout Frame) throws(CELError) -> Items {
        try frame.spend(at: offset)
        return try Items(try range.evaluate(&frame), at: offset)
    }

    @inline(__always)
    func bind(_ index: Int, of items: Items, _ frame: inout Frame) throws(CELError) {
        try frame.spend(at: offset)
        switch items {
        case .elements(let elements):
            frame.slots[slot] = secondSlot == nil ? elements[index] : .int(Int64(index))
            if let secondSlot { frame.slots[secondSlot] = elements[index] }
        case .entries(let entries):
            guard let secondSlot else {
                frame.slots[slot] = entries.key(index)
                return
            }
            (frame.slots[slot], frame.slots[secondSlot]) = try entries.entry(index)
        }
    }

    /// Evaluates a predicate.
    func holds(_ predicate: any Node, _ frame: inout Frame) throws(CELError) -> Bool {
        let value = try predicate.evaluate(&frame).native
        guard case .bool(let truth) = value else {
            throw CELError(offset: offset, message: "the condition must be a bool, not \(Access.noun(value))")
        }
        return truth
    }
}

/// `all` (decided by false) and `exists` (decided by true): an element that decides makes errors with others
/// irrelevant.
final class QuantifierNode: Node {
    private let iteration: Iteration
    private let predicate: any Node
    private let deciding: Bool

    init(_ iteration: Iteration, _ predicate: any Node, deciding: Bool) {
        self.iteration = iteration
        self.predicate = predicate
        self.deciding = deciding
    }

    func evaluate(_ frame: inout Frame) throws(CELError) -> CELValue {
        let items = try iteration.items(&frame)
        var failure: CELError?
        for index in 0..<items.count {
            try iteration.bind(index, of: items, &frame)
            do throws(CELError) {
                if try iteration.holds(predicate, &frame) == deciding { return .bool(deciding) }
            } catch {
                if frame.isExhausted { throw error }
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return .bool(!deciding)
    }
}

/// `exists_one`: every element is looked at, and an error is an error.
final class ExistsOneNode: Node {
    private let iteration: Iteration
    private let predicate: any Node

    init(_ iteration: Iteration, _ predicate: any Node) {
        self.iteration = iteration
        self.predicate = predicate
    }

    func evaluate(_ frame: inout Frame) throws(CELError) -> CELValue {
        let items = try iteration.items(&frame)
        var count = 0
        for index in 0..<items.count {
            try iteration.bind(index, of: items, &frame)
            if try iteration.holds(predicate, &frame) { count += 1 }
        }
        return .bool(count == 1)
    }
}

/// `map`, `filter` and `transformList`: a list of what the transformation gives for the elements that the filter lets
/// by.
final class CollectNode: Node {
    private let iteration: Iteration
    private let filter: (any Node)?
    private let transform: any Node

    init(_ iteration: Iteration, filter: (any Node)?, transform: any Node) {
        self.iteration = iteration
        self.filter = filter
        self.transform = transform
    }

    func evaluate(_ frame: inout Frame) throws(CELError) -> CELValue {
        let items = try iteration.items(&frame)
        var values: [CELValue] = []
        if filter == nil { values.reserveCapacity(items.count) }
        for index in 0..<items.count {
            try iteration.bind(index, of: items, &frame)
            if let filter, try !iteration.holds(filter, &frame) { continue }
            try frame.produce(16, at: iteration.offset)
            values.append(try transform.evaluate(&frame))
        }
        return .list(values)
    }
}

/// `transformMap` and `transformMapEntry`: a map of what the transformation gives for the entries that the filter
/// lets by.
final class CollectMapNode: Node {
    private let iteration: Iteration
    private let filter: (any Node)?
    private let transform: any Node
    /// Whether the transformation gives maps to be merged rather than values for the keys that there are.
    private let givesEntries: Bool

    init(_ iteration: Iteration, filter: (any Node)?, transform: any Node, givesEntries: Bool) {
        self.iteration = iteration
        self.filter = filter
        self.transform = transform
        self.givesEntries = givesEntries
    }

    func evaluate(_ frame: inout Frame) throws(CELError) -> CELValue {
        let items = try iteration.items(&frame)
        let offset = iteration.offset
        var map = CELMap()
        for index in 0..<items.count {
            try iteration.bind(index, of: items, &frame)
            let key = frame.slots[iteration.slot] ?? .null
            if let filter, try !iteration.holds(filter, &frame) { continue }
            let value = try transform.evaluate(&frame)
            guard givesEntries else {
                try frame.produce(32, at: offset)
                try frame.spend(hashing: key, at: offset)
                try map.add(key, value, at: offset)
                continue
            }
            guard let entries = try Entries(value) else {
                throw CELError(
                    offset: offset,
                    message: "transformMapEntry needs maps, not \(Access.noun(value.native))"
                )
            }
            try frame.produce(elements: entries.count * 2, at: offset)
            for entry in 0..<entries.count {
                let (key, value) = try entries.entry(entry)
                try frame.spend(hashing: key, at: offset)
                try map.add(key, value, at: offset)
            }
        }
        return .map(map)
    }
}
