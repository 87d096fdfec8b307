/// Resolves `after` to a graph and checks what follows from the order of the steps.
struct GraphChecks {
    let steps: [StepDraft]
    let log: FindingLog
    /// The steps by name; of those with one name the first.
    let indices: [String: Int]

    init(steps: [StepDraft], log: FindingLog) {
        self.steps = steps
        self.log = log
        indices = Dictionary(
            steps.enumerated().compactMap { index, step in step.name.map { ($0, index) } },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// The order of the steps; nil when it has faults, which are then reported.
    func graph() -> StepGraph? {
        var predecessors: [[Int]] = []
        var isWhole = true
        for (index, step) in steps.enumerated() {
            if step.hasFaultyAfter { isWhole = false }
            guard let after = step.after else {
                predecessors.append(index > 0 ? [index - 1] : [])
                continue
            }
            var before: [Int] = []
            for entry in after {
                if let other = self.predecessor(entry, of: index, known: before) {
                    before.append(other)
                } else {
                    isWhole = false
                }
            }
            predecessors.append(before)
        }
        let hasCycles = reportCycles(predecessors)
        return isWhole && !hasCycles ? StepGraph(predecessors: predecessors) : nil
    }

    private func predecessor(_ entry: (name: String, offset: Int), of index: Int, known: [Int]) -> Int? {
        guard let other = indices[entry.name] else {
            // The step is there: its name is the fault.
            if steps.contains(where: { $0.name == nil && $0.statedName == entry.name }) { return nil }
            log.error(
                .unknownStep,
                at: entry.offset,
                "there is no step \(quoted(entry.name))",
                hint: log.nearest(
                    entry.name,
                    among: steps.enumerated().compactMap { $0.offset == index ? nil : $0.element.name })
            )
            return nil
        }
        if other == index {
            log.error(.afterItself, at: entry.offset, "\(steps[index].title) can't come after itself")
            return nil
        }
        if known.contains(other) {
            log.error(.duplicateAfter, at: entry.offset, "`after` has \(quoted(entry.name)) twice")
            return nil
        }
        return other
    }

    // MARK: Cycles

    /// Reports one cycle, the shortest, for each group of steps that wait for each other.
    private func reportCycles(_ predecessors: [[Int]]) -> Bool {
        let reached = predecessors.indices.map { Self.reached(from: $0, predecessors) }
        var isReported = Array(repeating: false, count: predecessors.count)
        for start in predecessors.indices where reached[start][start] && !isReported[start] {
            for other in predecessors.indices where reached[start][other] && reached[other][start] {
                isReported[other] = true
            }
            reportCycle(Self.shortestCycle(through: start, predecessors))
        }
        return isReported.contains(true)
    }

    /// For each step whether `start` waits for it, directly or through others.
    private static func reached(from start: Int, _ predecessors: [[Int]]) -> [Bool] {
        var reached = Array(repeating: false, count: predecessors.count)
        var open = predecessors[start]
        while let step = open.popLast() {
            if reached[step] { continue }
            reached[step] = true
            open += predecessors[step]
        }
        return reached
    }

    /// From `start` along what each waits for, back to `start`, which stands first only.
    private static func shortestCycle(through start: Int, _ predecessors: [[Int]]) -> [Int] {
        var waiter = Array(repeating: -1, count: predecessors.count)
        var queue = [start]
        var next = 0
        while next < queue.count {
            let step = queue[next]
            next += 1
            for other in predecessors[step] {
                if other == start {
                    var cycle = [step]
                    while let last = cycle.last, last != start { cycle.append(waiter[last]) }
                    return cycle.reversed()
                }
                if waiter[other] < 0 {
                    waiter[other] = step
                    queue.append(other)
                }
            }
        }
        return [start]
    }

    private func reportCycle(_ cycle: [Int]) {
        let names = (cycle + cycle.prefix(1)).map { steps[$0].name.map { "`\($0)`" } ?? "a step without a name" }
        let first = steps[cycle[0]]
        let waitedFor = cycle.count > 1 ? steps[cycle[1]].name : first.name
        let entry = first.after?.first { $0.name == waitedFor }
        log.error(
            .cycle,
            at: entry?.offset ?? first.offset,
            "these steps wait for each other: \(names.joined(separator: " after "))",
            hint: "leave out one `after`"
        )
    }

    // MARK: Pivot and compensations

    /// The index of the pivot; of several, which are reported, the first.
    func pivot() -> Int? {
        let pivots = steps.indices.filter { steps[$0].isPivot }
        for second in pivots.dropFirst() {
            log.error(
                .secondPivot,
                at: steps[second].pivotOffset,
                "\(steps[second].title) is a second pivot, \(steps[pivots[0]].title) is one already",
                hint: "a saga has one point of no return"
            )
        }
        return pivots.first
    }

    /// - Parameter graph: nil when the order is faulty; then only what doesn't follow from it is checked.
    func check(_ graph: StepGraph?, pivot: Int?) {
        let hasOnePivot = steps.filter(\.isPivot).count == 1
        for (index, step) in steps.enumerated() {
            if step.isPivot, case .operation = step.compensation {
                log.error(
                    .pivotCompensation,
                    at: step.compensationOffset,
                    "\(step.title) is the pivot and is never compensated",
                    hint: "leave out its `compensation`"
                )
            }
            if let graph, let pivot, hasOnePivot, index != pivot, !checkOrder(of: index, graph, pivot: pivot) {
                // Whether it needs an undo follows from where it belongs.
                continue
            }
            // Without an order nobody can tell which steps come after the pivot.
            let isUnordered = graph == nil && pivot != nil
            let isAfterPivot = pivot.map { graph?.ancestors[index].contains($0) ?? false } ?? false
            guard let action = step.action, action.hasEffect, case .missing = step.compensation,
                !step.isPivot, !isAfterPivot, !isUnordered
            else { continue }
            log.error(
                .missingCompensation,
                at: step.offset,
                "\(step.title) doesn't say how it is undone",
                hint: "give it a `compensation`, or \"compensation\": \"none\" when it needs no undo"
            )
        }
    }

    /// - Returns: whether the step comes before or after the pivot.
    private func checkOrder(of index: Int, _ graph: StepGraph, pivot: Int) -> Bool {
        guard !graph.ancestors[index].contains(pivot), !graph.descendants[index].contains(pivot) else { return true }
        log.error(
            .pivotOrder,
            at: steps[index].offset,
            "\(steps[index].title) comes neither before nor after the pivot `\(steps[pivot].name ?? "")`",
            hint: "name one of the two in the other's `after`"
        )
        return false
    }
}
