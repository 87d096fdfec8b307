/// The members of a JSON object, in the order in which they were first set.
///
/// A name occurs once: setting it again replaces the value in place. Equality ignores the order.
public struct JSONObject: Sendable {
    public typealias Element = (key: String, value: JSON)

    /// Names and values, in order.
    public private(set) var members: [Element]
    /// Where each name stands, kept only for objects too large for a scan.
    private var index: [ExactKey: Int]?

    private static let largestScan = 16

    public init() { members = [] }

    /// Takes members in order; of those with one name the last value stands, in the place of the first.
    public init(_ elements: some Sequence<(String, JSON)>) {
        self.init()
        for (key, value) in elements { self[key] = value }
    }

    public var count: Int { members.count }
    public var isEmpty: Bool { members.isEmpty }
    /// The names, in order.
    public var keys: [String] { members.map(\.key) }
    /// The values, in order of their names.
    public var values: [JSON] { members.map(\.value) }

    /// The value of that name; setting nil removes it.
    public subscript(key: String) -> JSON? {
        get { position(of: key).map { members[$0].value } }
        set {
            guard let newValue else {
                remove(key)
                return
            }
            set(key, to: newValue)
        }
    }

    public mutating func reserveCapacity(_ capacity: Int) { members.reserveCapacity(capacity) }

    mutating func set(_ key: String, to value: JSON) {
        if let position = position(of: key) {
            members[position].value = value
            return
        }
        members.append((key, value))
        if index != nil {
            index?[ExactKey(text: key)] = members.count - 1
        } else if members.count > JSONObject.largestScan {
            rebuildIndex()
        }
    }

    private mutating func remove(_ key: String) {
        guard let position = position(of: key) else { return }
        members.remove(at: position)
        if members.count > JSONObject.largestScan { rebuildIndex() } else { index = nil }
    }

    private mutating func rebuildIndex() {
        var fresh: [ExactKey: Int] = [:]
        fresh.reserveCapacity(members.count * 2)
        for (position, member) in members.enumerated() { fresh[ExactKey(text: member.key)] = position }
        index = fresh
    }

    private func position(of key: String) -> Int? {
        if let index { return index[ExactKey(text: key)] }
        for position in members.indices where sameBytes(members[position].key, key) { return position }
        return nil
    }
}

extension JSONObject: Sequence {
    public func makeIterator() -> IndexingIterator<[Element]> { members.makeIterator() }
    public var underestimatedCount: Int { members.count }
}

extension JSONObject: Hashable {
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        guard left.count == right.count else { return false }
        return left.members.allSatisfy { right[$0.key] == $0.value }
    }

    public func hash(into hasher: inout Hasher) {
        var unordered = 0
        for member in members {
            var one = hasher
            hashBytes(of: member.key, into: &one)
            one.combine(member.value)
            unordered ^= one.finalize()
        }
        hasher.combine(members.count)
        hasher.combine(unordered)
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, JSON)...) { self.init(elements) }
}
