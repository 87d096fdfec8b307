/// Where everything of a graph's picture stands, in whole pixels from the top left corner.
struct SVGLayout: Sendable {
    struct Box: Sendable, Hashable {
        var x: Int
        var y: Int
        var width: Int
        var height: Int

        var centre: Int { x + width / 2 }
        var middle: Int { y + height / 2 }
        var right: Int { x + width }
        var bottom: Int { y + height }
    }

    struct Point: Sendable, Hashable {
        let x: Int
        let y: Int
    }

    /// A line from one point to another; bent where they don't stand above each other.
    struct Line: Sendable, Hashable {
        let start: Point
        let end: Point
        /// Whether it ends at a box, with a head.
        let hasHead: Bool
    }

    /// How much room the parts of a step's picture take; the same for all steps, so that they stand in columns.
    struct Sizes: Sendable {
        let action: Int
        let compensation: Int
        /// By step.
        let heights: [Int]
    }

    /// What stands beside a step on the way back.
    enum Side: Sendable, Hashable {
        case none
        case compensation(isReached: Bool)
        /// Nothing to undo: the way back passes.
        case passing
    }

    private(set) var actions: [Box] = []
    private(set) var compensations: [Box?] = []
    /// Where the way back passes a step that has nothing to undo.
    private(set) var passings: [Point?] = []
    private(set) var forward: [Line] = []
    private(set) var back: [Line] = []
    /// From an action to where it is undone.
    private(set) var turns: [Line] = []
    /// Height of the line below the pivot.
    private(set) var pointOfNoReturn: Point?
    /// Right edge and bottom of all of it.
    private(set) var width = 0
    private(set) var height = 0

    static let linkLength = 34
    private static let laneOffset = 14
    private static let stepGap = 44
    private static let laneGap = 14
    private static let rowGap = 46
    private static let pivotGap = 40

    private let layers: SVGLayers
    private let sizes: Sizes
    private let sides: [Side]
    private var xs: [Int] = []
    private var tops: [Int] = []
    private var bottoms: [Int] = []
    /// By slot: whether the way back comes to it from the row below.
    private var isReachedFromBelow: [Bool]

    init(_ layers: SVGLayers, sides: [Side], sizes: Sizes, pivot: Int?) {
        self.layers = layers
        self.sides = sides
        self.sizes = sizes
        isReachedFromBelow = Array(repeating: false, count: layers.slots.count)
        for segment in layers.segments where segment.hasReturn { isReachedFromBelow[segment.upper] = true }
        xs = SVGColumns(layers, left: layers.slots.map(left), right: layers.slots.map(right), gap: gap).xs
        placeRows(pivot: pivot)
        for step in sides.indices { place(step) }
        for segment in layers.segments { join(segment, leaves: pivot) }
        for (id, slot) in layers.slots.enumerated() where slot.step == nil { pass(id) }
        width = layers.slots.indices.map { xs[$0] + right(layers.slots[$0]) }.max() ?? 0
        height = bottoms.last ?? 0
    }

    // MARK: Room

    private func left(_ slot: SVGLayers.Slot) -> Int { slot.step == nil ? 4 : sizes.action / 2 }

    private func right(_ slot: SVGLayers.Slot) -> Int {
        guard let step = slot.step else { return slot.hasReturn ? Self.laneOffset + 4 : 4 }
        let half = sizes.action - sizes.action / 2
        switch sides[step] {
        case .none: return half
        case .compensation: return half + Self.linkLength + sizes.compensation
        case .passing: return backOffset + 6
        }
    }

    private func gap(_ one: Int, _ other: Int) -> Int {
        switch (layers.slots[one].step, layers.slots[other].step) {
        case (nil, nil): Self.laneGap
        case (nil, _), (_, nil): Self.laneGap + 8
        default: Self.stepGap
        }
    }

    /// How far to the right of an action's centre the way back runs.
    private var backOffset: Int {
        sizes.action - sizes.action / 2 + Self.linkLength + sizes.compensation / 2
    }

    private func backX(_ id: Int) -> Int {
        xs[id] + (layers.slots[id].step == nil ? Self.laneOffset : backOffset)
    }

    /// Rows follow each other at a distance that grows with how far the lines between them go aside.
    private mutating func placeRows(pivot: Int?) {
        var spans = Array(repeating: 0, count: layers.layers.count)
        for segment in layers.segments {
            let row = layers.slots[segment.upper].layer
            spans[row] = max(spans[row], abs(xs[segment.upper] - xs[segment.lower]))
        }
        var y = 0
        for (row, ids) in layers.layers.enumerated() {
            let steps = ids.compactMap { layers.slots[$0].step }
            tops.append(y)
            bottoms.append(y + (steps.map { sizes.heights[$0] }.max() ?? 0))
            y = bottoms[row] + Self.rowGap + min(120, spans[row] / 8)
            guard let pivot, steps.contains(pivot) else { continue }
            pointOfNoReturn = Point(x: xs[pivot], y: bottoms[row] + Self.pivotGap - 12)
            y += Self.pivotGap - 16
        }
    }

    private mutating func place(_ step: Int) {
        let row = layers.slots[step].layer
        let height = bottoms[row] - tops[row]
        let action = Box(x: xs[step] - sizes.action / 2, y: tops[row], width: sizes.action, height: height)
        actions.append(action)
        var compensation: Box?
        var passing: Point?
        let start = Point(x: action.right, y: action.middle)
        switch sides[step] {
        case .none: break
        case .compensation(let isReached):
            let box = Box(
                x: action.right + Self.linkLength, y: tops[row], width: sizes.compensation, height: height)
            compensation = box
            if isReached { turns.append(Line(start: start, end: Point(x: box.x, y: box.middle), hasHead: true)) }
        case .passing:
            let point = Point(x: backX(step), y: action.middle)
            passing = point
            turns.append(Line(start: start, end: point, hasHead: false))
            pass(step)
        }
        compensations.append(compensation)
        passings.append(passing)
    }

    // MARK: Lines

    private mutating func join(_ segment: SVGLayers.Segment, leaves pivot: Int?) {
        let (upper, lower) = (segment.upper, segment.lower)
        let top = bottoms[layers.slots[upper].layer]
        let bottom = tops[layers.slots[lower].layer]
        var start = Point(x: xs[upper], y: top)
        if upper == pivot, let line = pointOfNoReturn {
            // Straight down through the line, so that its text at the side stays free.
            let beyond = Point(x: start.x, y: line.y + 8)
            let stem = Line(start: start, end: beyond, hasHead: false)
            if !forward.contains(stem) { forward.append(stem) }
            start = beyond
        }
        forward.append(
            Line(start: start, end: Point(x: xs[lower], y: bottom), hasHead: layers.slots[lower].step != nil))
        guard segment.hasReturn else { return }
        var reachesBox = false
        if let step = layers.slots[upper].step, case .compensation = sides[step] { reachesBox = true }
        back.append(
            Line(
                start: Point(x: backX(lower), y: bottom), end: Point(x: backX(upper), y: top), hasHead: reachesBox))
    }

    /// Lines through a row: of a lane both ways, of a step the way back alone.
    private mutating func pass(_ id: Int) {
        let slot = layers.slots[id]
        let (top, bottom) = (tops[slot.layer], bottoms[slot.layer])
        if slot.step == nil {
            let start = Point(x: xs[id], y: top)
            forward.append(Line(start: start, end: Point(x: xs[id], y: bottom), hasHead: false))
            if !slot.hasReturn { return }
        }
        let start = Point(x: backX(id), y: isReachedFromBelow[id] ? bottom : (top + bottom) / 2)
        back.append(Line(start: start, end: Point(x: start.x, y: top), hasHead: false))
    }
}
