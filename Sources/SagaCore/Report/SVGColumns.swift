/// How far to the right each slot of a layered picture stands: as near to its neighbours in the rows above and below
/// as the order within its row and the room of the others let it.
///
/// Each row in turn is placed by least squares: with y = x less the room of all that stand to its left the order
/// becomes "ascending", which is isotonic regression, solved exactly by pooling adjacent violators (Barlow 1972).
struct SVGColumns: Sendable {
    /// The anchor of each slot (a step's action's centre), in whole pixels; the leftmost edge of all is at 0.
    private(set) var xs: [Int] = []

    /// - Parameters:
    ///   - left: what a slot takes to the left of its anchor.
    ///   - right: what it takes to the right.
    ///   - gap: what stays free between two neighbours in a row.
    init(_ layers: SVGLayers, left: [Int], right: [Int], gap: (Int, Int) -> Int) {
        let offsets = layers.layers.map { row in
            var offsets: [Int] = []
            for (place, id) in row.enumerated() {
                guard place > 0 else {
                    offsets.append(0)
                    continue
                }
                let before = row[place - 1]
                offsets.append(offsets[place - 1] + right[before] + gap(before, id) + left[id])
            }
            return offsets
        }
        var packed = Array(repeating: 0.0, count: layers.slots.count)
        for (row, offsets) in zip(layers.layers, offsets) {
            // Rows begin centred above each other.
            let half = Double(offsets.last ?? 0) / 2
            for (id, offset) in zip(row, offsets) { packed[id] = Double(offset) - half }
        }
        var exact = packed
        for sweep in 0...40 {
            let isDown = sweep.isMultiple(of: 2)
            // The last sweep goes down again, so that what merely follows stands straight below.
            let seesBoth = sweep >= 24 && sweep < 40
            for row in isDown ? Array(layers.layers.indices) : layers.layers.indices.reversed() {
                let ids = layers.layers[row]
                let wishes = ids.map { id in
                    let others =
                        (seesBoth || isDown ? layers.above[id] : []) + (seesBoth || !isDown ? layers.below[id] : [])
                    let wish = Self.wish(id, others, layers, exact)
                    // The lanes at its sides would pull a broken row away from its other parts.
                    let stays = layers.isBroken[row] && layers.slots[id].step != nil
                    return stays ? Wish(x: packed[id], weight: 20) : wish
                }
                for (id, x) in zip(ids, Self.placed(wishes, offsets: offsets[row])) { exact[id] = x }
            }
        }
        let leftmost = exact.indices.map { exact[$0] - Double(left[$0]) }.min() ?? 0
        // Distances are whole, so rounding keeps them.
        xs = exact.map { Int(($0 - leftmost).rounded()) }
    }

    private struct Wish {
        let x: Double
        let weight: Double
    }

    /// The mean of the neighbours; lanes count more, so that long lines stay straight.
    private static func wish(_ id: Int, _ others: [Int], _ layers: SVGLayers, _ exact: [Double]) -> Wish {
        if others.isEmpty { return Wish(x: exact[id], weight: 0.05) }
        let isLane = layers.slots[id].step == nil
        var sum = 0.0
        var weights = 0.0
        for other in others {
            let weight = isLane && layers.slots[other].step == nil ? 8.0 : 1
            sum += exact[other] * weight
            weights += weight
        }
        return Wish(x: sum / weights, weight: isLane ? 4 : 1)
    }

    /// Places in ascending order with the least weighted sum of squared distances from the wishes.
    private static func placed(_ wishes: [Wish], offsets: [Int]) -> [Double] {
        var pools: [(y: Double, weight: Double, count: Int)] = []
        for (wish, offset) in zip(wishes, offsets) {
            pools.append((wish.x - Double(offset), wish.weight, 1))
            while pools.count > 1, pools[pools.count - 2].y > pools[pools.count - 1].y {
                let last = pools.removeLast()
                let before = pools.removeLast()
                let weight = before.weight + last.weight
                let y = (before.y * before.weight + last.y * last.weight) / weight
                pools.append((y, weight, before.count + last.count))
            }
        }
        let ys = pools.flatMap { Array(repeating: $0.y, count: $0.count) }
        return zip(ys, offsets).map { $0 + Double($1) }
    }
}
