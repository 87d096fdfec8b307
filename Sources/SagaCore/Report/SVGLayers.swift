/// The steps of a graph in rows, with places kept free for the lines that pass a row: a layered drawing in the manner
/// of Sugiyama, Tagawa and Toda (1981).
///
/// Rows follow from the longest path; a row that would be too long is broken into several. Long lines that leave the
/// same step, or end at the same one, share one lane, so a fan of a hundred steps passes a row at one place. Lines
/// that follow from others (a before b before c makes a before c) are left out.
struct SVGLayers: Sendable {
    /// A step, or a place in a row where a line passes.
    struct Slot: Sendable, Hashable {
        /// nil for a passing line.
        let step: Int?
        let layer: Int
        /// Whether the way back passes here too.
        var hasReturn: Bool
    }

    /// A line between two slots in neighbouring rows.
    struct Segment: Sendable, Hashable {
        let upper: Int
        let lower: Int
        var hasReturn: Bool
    }

    private(set) var slots: [Slot] = []
    private(set) var segments: [Segment] = []
    /// Slots row by row from above, each row from the left.
    private(set) var layers: [[Int]] = []
    /// By row: whether it is part of a longer one that was broken.
    private(set) var isBroken: [Bool]
    /// For each slot those that it is joined to in the row above, and in the row below.
    private(set) var above: [[Int]] = []
    private(set) var below: [[Int]] = []

    /// - Parameters:
    ///   - returns: for each step whether the way back passes it.
    ///   - turns: for each step whether the saga may still turn back there: not after the pivot.
    ///   - maximumWidth: steps in a row, at least 1.
    init(_ graph: StepGraph, returns: [Bool], turns: [Bool], maximumWidth: Int) {
        let (rows, isBroken) = Self.rows(graph, maximumWidth: max(1, maximumWidth))
        self.isBroken = isBroken
        let edges = Self.reducedPredecessors(graph)
        for step in rows.indices { slots.append(Slot(step: step, layer: rows[step], hasReturn: returns[step])) }
        join(edges, rows: rows, returns: returns, turns: turns)
        layers = rowsInFileOrder(count: isBroken.count)
        above = Array(repeating: [], count: slots.count)
        below = above
        for segment in segments {
            below[segment.upper].append(segment.lower)
            above[segment.lower].append(segment.upper)
        }
        orderRows()
    }

    /// The predecessors of each step but those that come before another of its predecessors.
    static func reducedPredecessors(_ graph: StepGraph) -> [[Int]] {
        graph.predecessors.map { before in
            var isImplied = Array(repeating: false, count: graph.predecessors.count)
            for other in before {
                for ancestor in graph.ancestors[other] { isImplied[ancestor] = true }
            }
            return before.filter { !isImplied[$0] }
        }
    }

    /// The row of each step: the longest path that leads to it, rows above the limit broken into even ones.
    private static func rows(_ graph: StepGraph, maximumWidth: Int) -> ([Int], isBroken: [Bool]) {
        var ranks = Array(repeating: 0, count: graph.predecessors.count)
        for step in graph.topologicalOrder {
            ranks[step] = graph.predecessors[step].map { ranks[$0] + 1 }.max() ?? 0
        }
        var members = Array(repeating: [Int](), count: (ranks.max() ?? -1) + 1)
        for (step, rank) in ranks.enumerated() { members[rank].append(step) }
        var rows = ranks
        var first = 0
        var isBroken: [Bool] = []
        for steps in members {
            let parts = (steps.count + maximumWidth - 1) / maximumWidth
            for (place, step) in steps.enumerated() { rows[step] = first + place * parts / steps.count }
            first += parts
            isBroken += Array(repeating: parts > 1, count: parts)
        }
        return (rows, isBroken)
    }

    /// Steps in file order, lanes in their middle: so a broken row's parts stand centred below each other.
    private func rowsInFileOrder(count: Int) -> [[Int]] {
        var steps = Array(repeating: [Int](), count: count)
        var lanes = steps
        for (id, slot) in slots.enumerated() {
            if slot.step == nil { lanes[slot.layer].append(id) } else { steps[slot.layer].append(id) }
        }
        return zip(steps, lanes).map { steps, lanes in
            let half = (steps.count + 1) / 2
            return steps.prefix(half) + lanes + steps.dropFirst(half)
        }
    }

    // MARK: Lines

    /// What the long lines have in common that share a lane.
    private enum Bundle: Hashable {
        case from(Int)
        case to(Int)
    }

    private mutating func join(_ predecessors: [[Int]], rows: [Int], returns: [Bool], turns: [Bool]) {
        var leaving = Array(repeating: 0, count: rows.count)
        var arriving = leaving
        for (step, before) in predecessors.enumerated() {
            for other in before where rows[step] - rows[other] > 1 {
                leaving[other] += 1
                arriving[step] += 1
            }
        }
        var lanes: [Bundle: [Int: Int]] = [:]
        var known: [[Int]: Int] = [:]
        for (step, before) in predecessors.enumerated() {
            for other in before {
                let hasReturn = returns[other] && turns[step]
                let bundle = arriving[step] > leaving[other] ? Bundle.to(step) : .from(other)
                var last = other
                for row in rows[other] + 1..<rows[step] {
                    let lane = lanes[bundle]?[row] ?? slots.count
                    if lane == slots.count {
                        slots.append(Slot(step: nil, layer: row, hasReturn: false))
                        lanes[bundle, default: [:]][row] = lane
                    }
                    if hasReturn { slots[lane].hasReturn = true }
                    join(last, lane, hasReturn: hasReturn, known: &known)
                    last = lane
                }
                join(last, step, hasReturn: hasReturn, known: &known)
            }
        }
    }

    private mutating func join(_ upper: Int, _ lower: Int, hasReturn: Bool, known: inout [[Int]: Int]) {
        if let segment = known[[upper, lower]] {
            if hasReturn { segments[segment].hasReturn = true }
        } else {
            known[[upper, lower]] = segments.count
            segments.append(Segment(upper: upper, lower: lower, hasReturn: hasReturn))
        }
    }

    // MARK: Order within rows

    /// Sorts rows by the mean place of their neighbours, down and up in turn, then swaps neighbours where that helps.
    ///
    /// That lessens crossings. The best order seen stays; among equals the earlier one, which is nearer the file's.
    private mutating func orderRows() {
        var places = Array(repeating: 0, count: slots.count)
        for row in layers { for (place, id) in row.enumerated() { places[id] = place } }
        var best = layers
        var fewest = Int.max
        for sweep in 0..<16 {
            let isDown = sweep.isMultiple(of: 2)
            for row in isDown ? Array(layers.indices) : layers.indices.reversed() {
                sort(row, by: isDown ? above : below, &places)
            }
            swapNeighbours(&places)
            let crossings = countCrossings(places)
            if crossings < fewest { (best, fewest) = (layers, crossings) }
            if fewest == 0 { break }
        }
        layers = best
    }

    private mutating func sort(_ row: Int, by neighbours: [[Int]], _ places: inout [Int]) {
        let keyed = layers[row].map { id in
            let others = neighbours[id]
            let sum = others.reduce(0) { $0 + places[$1] }
            return (id: id, key: others.isEmpty ? Double(places[id]) : Double(sum) / Double(others.count))
        }
        let sorted = keyed.sorted { ($0.key, places[$0.id]) < ($1.key, places[$1.id]) }
        layers[row] = sorted.map(\.id)
        for (place, id) in layers[row].enumerated() { places[id] = place }
    }

    private mutating func swapNeighbours(_ places: inout [Int]) {
        for _ in 0..<4 {
            var isBetter = false
            for row in layers.indices {
                for place in layers[row].indices.dropLast() {
                    let (left, right) = (layers[row][place], layers[row][place + 1])
                    let now = crossings(left, right, places)
                    guard now > 0, crossings(right, left, places) < now else { continue }
                    layers[row].swapAt(place, place + 1)
                    (places[left], places[right]) = (place + 1, place)
                    isBetter = true
                }
            }
            if !isBetter { return }
        }
    }

    /// How often lines of the two cross when the first stands to the left.
    private func crossings(_ left: Int, _ right: Int, _ places: [Int]) -> Int {
        [above, below].reduce(0) { sum, neighbours in
            let others = neighbours[right].map { places[$0] }.sorted()
            return neighbours[left].reduce(sum) { sum, id in sum + Self.count(others, below: places[id]) }
        }
    }

    /// How many of the ascending values are less than the limit.
    private static func count(_ ascending: [Int], below limit: Int) -> Int {
        var (low, high) = (0, ascending.count)
        while low < high {
            let middle = (low + high) / 2
            if ascending[middle] < limit { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// All crossings, by counting inversions in a binary indexed tree (Barth, Mutzel, Jünger 2004).
    private func countCrossings(_ places: [Int]) -> Int {
        var crossings = 0
        for (upper, row) in zip(layers, layers.dropFirst()) {
            var tree = Array(repeating: 0, count: row.count + 1)
            var seen = 0
            for id in upper {
                let lower = below[id].map { places[$0] + 1 }
                for place in lower {
                    var notAfter = 0
                    var index = place
                    while index > 0 {
                        notAfter += tree[index]
                        index &= index - 1
                    }
                    crossings += seen - notAfter
                }
                for place in lower {
                    var index = place
                    while index < tree.count {
                        tree[index] += 1
                        index += index & -index
                    }
                }
                seen += lower.count
            }
        }
        return crossings
    }
}
