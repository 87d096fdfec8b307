/// A function of the language: one name, one way of calling it, one number of arguments.
struct Function: Sendable {
    typealias Body = @Sendable (_ call: Call, _ frame: inout Frame) throws(CELError) -> CELValue

    struct Overload: Sendable {
        let parameters: [CELType]
        let result: CELType
    }

    let name: String
    /// Whether it is called as `a.f(b)`; then the first parameter is the target.
    let isMember: Bool
    /// The types that it takes; all have the same number of parameters.
    let overloads: [Overload]
    let body: Body

    /// Counts the target of a member function.
    var arity: Int { overloads.first?.parameters.count ?? 0 }

    static func global(_ name: String, _ overloads: Overload..., body: @escaping Body) -> Function {
        Function(name: name, isMember: false, overloads: overloads, body: body)
    }

    static func member(_ name: String, _ overloads: Overload..., body: @escaping Body) -> Function {
        Function(name: name, isMember: true, overloads: overloads, body: body)
    }

    /// The arguments of one call, native, and where it stands.
    ///
    /// No function takes more than four.
    struct Call {
        let name: String
        let offset: Int
        var a = CELValue.null
        var b = CELValue.null
        var c = CELValue.null
        var d = CELValue.null
        var count = 0

        func fault(_ message: String) -> CELError { CELError(offset: offset, message: message) }

        /// The error for arguments of types that the function doesn't take.
        func mismatch() -> CELError {
            let types = [a, b, c, d].prefix(count).map { Access.noun($0) }.joined(separator: ", ")
            return fault("'\(name)' can't be applied to (\(types))")
        }
    }
}

func takes(_ parameters: CELType..., gives result: CELType) -> Function.Overload {
    Function.Overload(parameters: parameters, result: result)
}

/// Calls a function.
final class CallNode: Node {
    private let name: String
    private let arguments: [any Node]
    private let body: Function.Body
    private let offset: Int

    init(_ function: Function, _ arguments: [any Node], offset: Int) {
        name = function.name
        body = function.body
        self.arguments = arguments
        self.offset = offset
    }

    func evaluate(_ frame: inout Frame) throws(CELError) -> CELValue {
        try frame.spend(at: offset)
        var call = Function.Call(name: name, offset: offset, count: arguments.count)
        if arguments.count > 0 { call.a = try frame.native(try arguments[0].evaluate(&frame), at: offset) }
        if arguments.count > 1 { call.b = try frame.native(try arguments[1].evaluate(&frame), at: offset) }
        if arguments.count > 2 { call.c = try frame.native(try arguments[2].evaluate(&frame), at: offset) }
        if arguments.count > 3 { call.d = try frame.native(try arguments[3].evaluate(&frame), at: offset) }
        return try body(call, &frame)
    }
}

/// All functions that need nothing but the language.
enum FunctionTable {
    static let functions: [String: [Function]] = Dictionary(
        grouping: Conversions.functions + TimeFunctions.functions + StringFunctions.functions + ListFunctions.functions
            + RegexFunctions.functions,
        by: \.name
    )

    /// The functions of an environment under a name, in the order of their definition.
    static func named(_ name: String, in environment: CELEnvironment) -> [Function] {
        if let getters = environment.timeZones.flatMap({ TimeFunctions.zoned($0)[name] }) {
            return (functions[name] ?? []).filter { $0.arity == 1 } + [getters]
        }
        return functions[name] ?? []
    }

    /// Every name, for suggestions.
    static let names = functions.keys.sorted()
}
