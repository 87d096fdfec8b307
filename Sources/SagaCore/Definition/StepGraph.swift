/// The order of a definition's steps: which come after which, directly and through others.
public struct StepGraph: Sendable, Hashable {
    /// For each step the steps it directly waits for, by index, ascending.
    public let predecessors: [[Int]]
    /// For each step the steps that directly wait for it, ascending.
    public let successors: [[Int]]
    /// For each step all that come before it, directly or through others, ascending.
    public let ancestors: [[Int]]
    /// For each step all that come after it, directly or through others, ascending.
    public let descendants: [[Int]]
    /// All steps so that each stands after everything it waits for; among equals the file's order.
    public let topologicalOrder: [Int]

    /// Builds the closure of `predecessors`; nil when there is a cycle or an index out of range.
    public init?(predecessors: [[Int]]) {
        let count = predecessors.count
        var successors = Array(repeating: [Int](), count: count)
        var waiting = Array(repeating: 0, count: count)
        for (step, before) in predecessors.enumerated() {
            for other in Set(before).sorted() {
                guard (0..<count).contains(other) else { return nil }
                successors[other].append(step)
                waiting[step] += 1
            }
        }
        var order: [Int] = []
        var ancestors = Array(repeating: Set<Int>(), count: count)
        var taken = Array(repeating: false, count: count)
        while let next = (0..<count).first(where: { !taken[$0] && waiting[$0] == 0 }) {
            taken[next] = true
            order.append(next)
            for follower in successors[next] {
                waiting[follower] -= 1
                ancestors[follower].formUnion(ancestors[next])
                ancestors[follower].insert(next)
            }
        }
        guard order.count == count else { return nil }
        var descendants = Array(repeating: [Int](), count: count)
        for step in 0..<count {
            for ancestor in ancestors[step] { descendants[ancestor].append(step) }
        }
        self.predecessors = predecessors.map { Set($0).sorted() }
        self.successors = successors
        self.ancestors = ancestors.map { $0.sorted() }
        self.descendants = descendants.map { $0.sorted() }
        self.topologicalOrder = order
    }
}
