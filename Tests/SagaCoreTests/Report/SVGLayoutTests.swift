import SagaCore
import Testing

/// What must hold in the picture of any graph, read back from its text.
@Suite struct SVGLayoutTests {
    @Test(arguments: 0..<12) func randomGraphs(block: UInt64) throws {
        for seed in block * 10..<block * 10 + 10 {
            var random = SeededGenerator(seed: seed)
            try check(SketchedSaga.random(&random), "seed \(seed)")
        }
    }

    @Test func oneStep() throws {
        try check(SketchedSaga(steps: [.init(name: "only", after: [], isUndone: false)]), "one")
        try check(SketchedSaga(steps: [.init(name: "only", after: [])]), "one with undo")
    }

    @Test func twoHundredSteps() throws {
        let names = (0..<200).map { "step_\($0)" }
        try check(
            SketchedSaga(steps: names.indices.map { .init(name: names[$0], after: $0 == 0 ? [] : [$0 - 1]) }), "list")
        try check(SketchedSaga(steps: names.map { .init(name: $0, after: []) }), "all at once")
        let ends = [0, 199]
        try check(
            SketchedSaga(
                steps: names.indices.map {
                    .init(
                        name: names[$0], after: $0 == 0 ? [] : $0 == 199 ? Array(1..<199) : [0],
                        isUndone: !ends.contains($0))
                }),
            "fan")
        try check(
            SketchedSaga(
                steps: names.indices.map {
                    .init(
                        name: names[$0],
                        after: $0 == 0 ? [] : $0 % 3 == 0 ? [$0 - 2, $0 - 1] : [$0 - $0 % 3],
                        isUndone: $0 % 5 != 0)
                }),
            "diamonds")
        try check(
            SketchedSaga(steps: names.prefix(60).indices.map { .init(name: names[$0], after: Array(0..<$0)) }),
            "each after all before it")
    }

    // MARK: Checks

    private func check(_ sketch: SketchedSaga, _ comment: Comment) throws {
        let definition = try SVGGraphTests.definition(sketch.text)
        let text = SVGGraph(definition).text
        #expect(text == SVGGraph(definition).text, comment)
        let picture = try SVGPicture(text)
        #expect(picture.steps.keys.sorted() == sketch.steps.map(\.name).sorted(), comment)
        #expect(
            picture.compensations.keys.sorted() == sketch.steps.filter(\.isUndone).map(\.name).sorted(), comment)
        checkRoom(picture, comment)
        let forward = Ways(picture.forward, to: picture.steps) { SVGPicture.Point(x: $0.top.x, y: $0.top.y - 7) }
        let back = Ways(picture.back, to: picture.compensations) { SVGPicture.Point(x: $0.foot.x, y: $0.foot.y + 7) }
        for (index, step) in sketch.steps.enumerated() {
            let box = try #require(picture.steps[step.name])
            #expect(forward.ends(from: box.foot) == names(sketch.successors(index)), comment)
            let start = startOfWayBack(from: step.name, box, picture)
            #expect(start.map(back.ends) ?? [] == names(sketch.undoneNext(index)), comment)
        }
        func names(_ steps: [Int]) -> [String] { steps.map { sketch.steps[$0].name }.sorted() }
    }

    /// Nothing covers anything else, and nothing is outside.
    private func checkRoom(_ picture: SVGPicture, _ comment: Comment) {
        let boxes =
            picture.steps.sorted { $0.key < $1.key }.map(\.value)
            + picture.compensations.sorted { $0.key < $1.key }.map(\.value)
        var overlaps = 0
        for (index, box) in boxes.enumerated() {
            overlaps += boxes.dropFirst(index + 1).filter(box.overlaps).count
            for line in picture.forward + picture.back {
                let extent = line.extent
                // A straight line has no inside of its own: what matters is that no box's inside holds any of it.
                if extent.x < box.right, extent.right > box.x, extent.y < box.bottom, extent.bottom > box.y {
                    overlaps += 1
                }
            }
        }
        #expect(overlaps == 0, comment)
        let origin = picture.origin
        let all = boxes + (picture.forward + picture.back).map(\.extent)
        #expect(
            all.allSatisfy {
                $0.x + origin.x >= 0 && $0.y + origin.y >= 0 && $0.right + origin.x <= picture.width
                    && $0.bottom + origin.y <= picture.height
            }, comment)
        #expect(picture.dots.allSatisfy { $0.x + origin.x + 4 <= picture.width }, comment)
    }

    /// Where the way back leaves a step: above its compensation, or above its dot; nil where there is none.
    private func startOfWayBack(from name: String, _ box: SVGPicture.Box, _ picture: SVGPicture) -> SVGPicture.Point? {
        if let compensation = picture.compensations[name] { return compensation.top }
        let turn = picture.back.first {
            $0.start.y == $0.end.y && $0.start.x == box.right && $0.start.y > box.y && $0.start.y < box.bottom
        }
        guard let turn, picture.dots.contains(turn.end) else { return nil }
        return SVGPicture.Point(x: turn.end.x, y: box.y)
    }
}

/// The lines of a picture as one follows them from box to box.
private struct Ways {
    private let next: [SVGPicture.Point: [SVGPicture.Point]]
    private let names: [SVGPicture.Point: String]

    /// - Parameter entrance: where lines end at a box: a line stops short of it within its head.
    init(
        _ lines: [SVGPicture.Line], to boxes: [String: SVGPicture.Box],
        entrance: (SVGPicture.Box) -> SVGPicture.Point
    ) {
        next = Dictionary(grouping: lines.filter { $0.start.y != $0.end.y }, by: \.start).mapValues { $0.map(\.end) }
        names = Dictionary(boxes.map { (entrance($0.value), $0.key) }, uniquingKeysWith: { "\($0) and \($1)" })
    }

    /// The boxes at which one ends who follows the lines from a point; a line that ends nowhere is told as such.
    func ends(from start: SVGPicture.Point) -> [String] {
        var found: Set<String> = []
        var open = next[start] ?? []
        var seen = Set(open)
        while let point = open.popLast() {
            if let name = names[point] {
                found.insert(name)
                continue
            }
            let following = next[point] ?? []
            if following.isEmpty { found.insert("nowhere") }
            for end in following where seen.insert(end).inserted { open.append(end) }
        }
        return found.sorted()
    }
}

/// A definition as far as its picture shows it.
struct SketchedSaga {
    struct Step {
        let name: String
        let after: [Int]
        var isUndone = true
        var isConditional = false
        var isPivot = false
    }

    let steps: [Step]
    /// For each step those that come before it, directly or not.
    private let ancestors: [Set<Int>]
    /// Those of `after` that no other of them comes after.
    private let direct: [[Int]]

    /// - Parameter steps: each after earlier ones only.
    init(steps: [Step]) {
        self.steps = steps
        ancestors = steps.reduce(into: []) { known, step in
            known.append(step.after.reduce(into: Set(step.after)) { $0.formUnion(known[$1]) })
        }
        let ancestors = ancestors
        direct = steps.map { step in
            step.after.filter { index in !step.after.contains { ancestors[$0].contains(index) } }
        }
    }

    static func random(_ random: inout SeededGenerator) -> SketchedSaga {
        let count = Int.random(in: 1...60, using: &random)
        let pivot = Int.random(in: 0..<3, using: &random) == 0 ? Int.random(in: 0..<count, using: &random) : nil
        let most = Int.random(in: 1...4, using: &random)
        let reach = [2, 6, 60].randomElement(using: &random)!
        var hasFollower = Array(repeating: false, count: count)
        let steps = (0..<count).map { index in
            let isAfter = pivot.map { index > $0 } ?? false
            let first = max(isAfter ? pivot! : 0, index - reach)
            var after = Set<Int>()
            if index == pivot {
                after = Set((0..<index).filter { !hasFollower[$0] })
            } else if index > first {
                for _ in 0..<Int.random(in: 0...most, using: &random) {
                    after.insert(Int.random(in: first..<index, using: &random))
                }
            }
            if isAfter, after.isEmpty { after = [pivot!] }
            for other in after { hasFollower[other] = true }
            let length = Int.random(in: 0...58, using: &random)
            return Step(
                name: "s\(index)_" + String(repeating: "Wi", count: length / 2), after: after.sorted(),
                isUndone: index != pivot && Int.random(in: 0..<4, using: &random) > 0,
                isConditional: Int.random(in: 0..<5, using: &random) == 0, isPivot: index == pivot)
        }
        return SketchedSaga(steps: steps)
    }

    /// The steps that come right after it: those that nothing else leads to from it.
    func successors(_ index: Int) -> [Int] {
        steps.indices.filter { direct[$0].contains(index) }
    }

    /// The compensations that its own, or the way back past it, leads to.
    func undoneNext(_ index: Int) -> [Int] {
        if let pivot = steps.firstIndex(where: \.isPivot), ancestors[index].contains(pivot) { return [] }
        var found: Set<Int> = []
        for before in direct[index] {
            if steps[before].isUndone { found.insert(before) } else { found.formUnion(undoneNext(before)) }
        }
        return found.sorted()
    }

    /// The definition file.
    var text: String {
        let lines = steps.map { step in
            let after = step.after.map { "\"\(steps[$0].name)\"" }.joined(separator: ", ")
            return "{\"name\": \"\(step.name)\", \"after\": [\(after)], \"action\": {\"http\": {\"service\": \"s\", "
                + "\"path\": \"/\"}}" + (step.isPivot ? ", \"pivot\": true" : "")
                + (step.isConditional ? ", \"when\": \"${ input.x > 1000 || input.y == '<&>' }\"" : "")
                + (step.isUndone
                    ? ", \"compensation\": {\"http\": {\"service\": \"s\", \"path\": \"/\"}}"
                    : step.isPivot ? "" : ", \"compensation\": \"none\"")
                + "}"
        }
        return "{\"saga\": \"sketch\", \"services\": {\"s\": {\"url\": \"http://s\"}}, \"steps\": [\n"
            + lines.joined(separator: ",\n") + "\n]}"
    }
}
