import JSON

/// One check of an instance against a program.
///
/// Without reporting it stops at the first violation; with it, all are collected.
struct Validation {
    let program: SchemaProgram
    let reporting: Bool
    private(set) var violations: [SchemaViolation] = []
    /// Why the check was given up, if it was: nothing is known then of the rest.
    private(set) var stop: SchemaViolation?

    private var stepsLeft: Int
    private var depthLeft: Int
    /// The resources that were entered on the way, outermost first.
    private var scope: [Int] = []
    /// The way into the instance; kept only while reporting.
    private var path = JSONPointer()
    /// How many applicators on the way only ask whether a schema fits.
    private var silent = 0

    init(_ program: SchemaProgram, reporting: Bool) {
        self.program = program
        self.reporting = reporting
        stepsLeft = program.limits.steps
        depthLeft = min(program.limits.depth, 1_024)
    }

    /// Whether the instance is valid; false, too, when the check was given up.
    mutating func run(_ instance: JSON) -> Bool {
        guard !instance.isDeeper(than: 1_024) else {
            giveUp("nests too deep to be checked")
            return false
        }
        return apply(0, to: instance, nil) && stop == nil
    }

    // MARK: Bookkeeping

    /// Whether violations are being collected, so that checking goes on after one.
    var collects: Bool { reporting && silent == 0 && stop == nil }

    /// Pays for work; false when there is nothing left to pay with.
    mutating func spend(_ steps: Int) -> Bool {
        stepsLeft -= min(steps, stepsLeft + 1)
        if stepsLeft < 0 { giveUp("takes more than \(program.limits.steps) steps to check") }
        return stop == nil
    }

    private mutating func giveUp(_ message: String) {
        guard stop == nil else { return }
        stop = SchemaViolation(pointer: JSONPointer(), keyword: "limit", schemaPointer: JSONPointer(), message: message)
    }

    /// Notes a violation, and answers false.
    mutating func fail(
        _ node: SchemaNode,
        _ keyword: String,
        at place: JSONPointer? = nil,
        _ message: @autoclosure () -> String
    ) -> Bool {
        guard collects else { return false }
        guard violations.count + 1 < program.limits.violations else {
            giveUp("has more violations than are told here")
            return false
        }
        violations.append(
            SchemaViolation(
                pointer: place ?? path,
                keyword: keyword,
                schemaPointer: node.fixed == nil ? node.pointer.appending(keyword) : node.pointer,
                message: message()
            )
        )
        return false
    }

    // MARK: Applying

    /// Whether a schema fits a value.
    mutating func apply(_ number: Int, to value: JSON, _ tracker: Tracker?) -> Bool {
        let node = program.nodes[number]
        guard spend(1 + node.checks.count) else { return false }
        if let fixed = node.fixed { return fixed || fail(node, node.keyword, "isn't allowed here") }
        guard depthLeft > 0 else {
            giveUp("takes schemas within schemas, deeper than \(min(program.limits.depth, 1_024))")
            return false
        }
        depthLeft -= 1
        let entersResource = scope.last != node.resource
        if entersResource { scope.append(node.resource) }
        defer {
            depthLeft += 1
            if entersResource { scope.removeLast() }
        }
        let own = node.tracks ? Tracker() : tracker
        var fits = true
        for check in node.checks where !run(check, of: node, on: value, own) {
            fits = false
            guard collects else { return false }
        }
        if node.tracks, fits, let tracker, let own {
            guard spend(own.weight) else { return false }
            tracker.merge(own)
        }
        return fits
    }

    /// Whether a schema fits a member or an element.
    mutating func apply(_ number: Int, toMember name: String, _ value: JSON) -> Bool {
        guard reporting else { return apply(number, to: value, nil) }
        path.append(name)
        defer { path.removeLast() }
        return apply(number, to: value, nil)
    }

    mutating func apply(_ number: Int, toItem index: Int, _ value: JSON) -> Bool {
        guard reporting else { return apply(number, to: value, nil) }
        path.append(index)
        defer { path.removeLast() }
        return apply(number, to: value, nil)
    }

    /// Whether a schema fits, without noting why it doesn't.
    mutating func fits(_ number: Int, _ value: JSON, _ tracker: Tracker?) -> Bool {
        silent += 1
        defer { silent -= 1 }
        guard let tracker else { return apply(number, to: value, nil) }
        // What a schema that doesn't fit has evaluated doesn't count.
        let own = Tracker()
        guard apply(number, to: value, own), spend(own.weight) else { return false }
        tracker.merge(own)
        return true
    }

    /// Why a name doesn't fit a schema.
    mutating func reason(_ number: Int, _ name: JSON) -> String {
        let before = violations
        violations = []
        defer { violations = before }
        _ = apply(number, to: name, nil)
        return violations.first?.message ?? "isn't allowed here"
    }

    /// The node that a dynamic reference means: that of the outermost resource on the way which has the anchor.
    ///
    /// Nil when looking through them takes too long.
    mutating func dynamicTarget(_ name: Int, otherwise: Int) -> Int? {
        guard spend(scope.count) else { return nil }
        let anchors = program.dynamicAnchors[name]
        for resource in scope { if let node = anchors[resource] { return node } }
        return otherwise
    }
}

/// Which members and items of a value schemas have been applied to.
final class Tracker {
    private var members: [Bool] = []
    private var items: [Bool] = []
    private(set) var hasAllItems = false

    /// What merging it costs.
    var weight: Int { 1 + (members.count + items.count) / 8 }

    func noteMember(_ position: Int, of count: Int) {
        if members.isEmpty { members = [Bool](repeating: false, count: count) }
        members[position] = true
    }

    func noteItem(_ index: Int, of count: Int) {
        if items.isEmpty { items = [Bool](repeating: false, count: count) }
        items[index] = true
    }

    func noteAllItems() { hasAllItems = true }

    func hasMember(_ position: Int) -> Bool { !members.isEmpty && members[position] }
    func hasItem(_ index: Int) -> Bool { hasAllItems || !items.isEmpty && items[index] }

    /// Takes over what another one of the same value has.
    func merge(_ other: Tracker) {
        if other.hasAllItems { hasAllItems = true }
        members = Tracker.union(members, other.members)
        items = Tracker.union(items, other.items)
    }

    private static func union(_ left: [Bool], _ right: [Bool]) -> [Bool] {
        if left.isEmpty || right.isEmpty { return left.isEmpty ? right : left }
        return zip(left, right).map { $0 || $1 }
    }
}
