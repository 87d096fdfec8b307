/// The macros that go through a list or a map.
struct Macro {
    let name: String
    /// How many variables it binds.
    let variableCount: Int

    /// The names and how each is used.
    private static let usages: [(name: String, usage: String)] = [
        ("all", "LIST.all(x, CONDITION)"),
        ("exists", "LIST.exists(x, CONDITION)"),
        ("exists_one", "LIST.exists_one(x, CONDITION)"),
        ("existsOne", "LIST.existsOne(x, CONDITION)"),
        ("filter", "LIST.filter(x, CONDITION)"),
        ("map", "LIST.map(x, RESULT) or LIST.map(x, CONDITION, RESULT)"),
        ("transformList", "LIST.transformList(i, x, RESULT)"),
        ("transformMap", "MAP.transformMap(k, v, RESULT)"),
        ("transformMapEntry", "MAP.transformMapEntry(k, v, {KEY: RESULT})"),
    ]

    static let names = usages.map(\.name)

    static func usage(of name: String) -> String? {
        usages.first { $0.name == name }.map { "it is used as \($0.usage)" }
    }

    /// Nil when there is no such macro for that number of arguments.
    init?(_ name: String, argumentCount: Int) {
        self.name = name
        switch (name, argumentCount) {
        case ("all", 2), ("exists", 2), ("exists_one", 2), ("existsOne", 2), ("filter", 2), ("map", 2), ("map", 3):
            variableCount = 1
        case ("all", 3), ("exists", 3), ("exists_one", 3), ("existsOne", 3), ("transformList", 3...4),
            ("transformMap", 3...4), ("transformMapEntry", 3...4):
            variableCount = 2
        default:
            return nil
        }
    }

    /// Whether the first of the expressions behind the variables is a condition.
    func hasCondition(_ expressionCount: Int) -> Bool {
        switch name {
        case "map", "transformList", "transformMap", "transformMapEntry": expressionCount > 1
        default: true
        }
    }

    /// The macro's node; the parts are the expressions behind the variables.
    func part(_ iteration: Iteration, _ parts: [Compiler.Part], element: CELType, key: CELType) -> Compiler.Part {
        let filter = parts.count > 1 ? parts[0].node : nil
        let last = parts[parts.count - 1]
        switch name {
        case "all", "exists":
            let node = QuantifierNode(iteration, last.node, deciding: name == "exists")
            return Compiler.Part(node: node, type: .bool)
        case "exists_one", "existsOne":
            return Compiler.Part(node: ExistsOneNode(iteration, last.node), type: .bool)
        case "filter":
            let current = PathNode(name: "", slot: iteration.slot, offset: iteration.offset)
            let node = CollectNode(iteration, filter: last.node, transform: current)
            return Compiler.Part(node: node, type: .list(element))
        case "transformMap", "transformMapEntry":
            let givesEntries = name == "transformMapEntry"
            let node = CollectMapNode(iteration, filter: filter, transform: last.node, givesEntries: givesEntries)
            return Compiler.Part(node: node, type: givesEntries ? .map(.dyn, .dyn) : .map(key, last.type))
        default:
            let node = CollectNode(iteration, filter: filter, transform: last.node)
            return Compiler.Part(node: node, type: .list(last.type))
        }
    }
}
