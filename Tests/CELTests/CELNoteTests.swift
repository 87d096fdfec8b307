import CEL
import Testing

/// What the compiler notes of expressions that can be evaluated, but go against what is known of the variables.
@Suite struct CELNoteTests {
    private static let customer = CELRecord(
        [
            "name": .init(.string), "tier": .init(.oneOf(["gold", "silver"])),
            "note": .init(.string, isRequired: false),
        ],
        rest: .closed
    )

    private static let environment = CELEnvironment(variables: [
        "open": .record(CELRecord(["a": .init(.int)], rest: .unknown)),
        "input": .record(
            CELRecord(
                [
                    "id": .init(.string), "count": .init(.int), "price": .init(.number), "flag": .init(.bool),
                    "customer": .init(.record(customer)), "coupon": .init(.string, isRequired: false),
                    "items": .init(.list(.record(customer))), "tags": .init(.list(.string)),
                    "any": .init(.dyn), "more": .init(.record(customer), isRequired: false),
                ],
                rest: .undeclared
            )
        ),
    ])

    private func notes(_ source: String) throws -> [String] {
        try CELProgram(compiling: source, in: Self.environment).notes.map { note in
            switch note.kind {
            case .unknownMember(let name, let owner, let record):
                "\(note.offset) \(record.rest) \(owner.joined(separator: ".")) \(name)"
            case .optionalMember(let path): "\(note.offset) optional \(path.joined(separator: "."))"
            case .neverEqual(let symbol, let left, let right): "\(note.offset) \(left) \(symbol) \(right)"
            case .neverAmong(let text, let values): "\(note.offset) \(text) among \(values.joined(separator: ","))"
            }
        }
    }

    @Test(
        arguments: [
            ("input.idd", ["6 undeclared input idd"]),
            ("input['idd']", ["6 undeclared input idd"]),
            ("has(input.idd)", ["10 undeclared input idd"]),
            ("input.customer.nmae", ["15 closed input.customer nmae"]),
            ("input.items[0].nmae", ["15 closed  nmae"]),
            ("input.items.map(i, i.nmae)", ["21 closed  nmae"]),
            ("input.coupon", ["6 optional input.coupon"]),
            ("input.coupon + input.coupon", ["6 optional input.coupon"]),
            ("has(input.more.note)", ["10 optional input.more"]),
            ("input.id == 1", ["9 string == int"]),
            ("input.id != null", ["9 string != null"]),
            ("input.items == {}", ["12 list(object) == map"]),
            ("1 in input.tags", ["2 int in list(string)"]),
            ("input.customer.tier == 'glod'", ["23 glod among gold,silver"]),
            ("'glod' != input.customer.tier", ["0 glod among gold,silver"]),
            ("input.customer.tier in ['gold', 'glod']", ["32 glod among gold,silver"]),
        ] as [(String, [String])]
    )
    func notes(_ source: String, _ expected: [String]) throws {
        #expect(try notes(source) == expected)
    }

    @Test(arguments: [
        "input.any.x.y == 1", "open.b.c", "has(input.coupon) ? input.coupon : ''",
        "'coupon' in input && input.coupon == 'x'", "has(input.more) && has(input.more.note)",
        "input.items.map(i, i.note)", "input.count == 1.5", "input.price == 1", "1u == input.price",
        "input.tags == []", "input.customer == {'name': 'a'}", "input.any == null", "null != input.any",
        "input.customer.tier == input.id", "input.customer.tier in input.tags", "input.any in [1, 'a']",
        "'a' in {'a': 1}", "dyn(input.id) == 1", "input[input.id] == 1",
    ])
    func silent(_ source: String) throws {
        #expect(try notes(source) == [])
    }

    @Test(
        arguments: [
            ("input.id < 1", "'<' can't be applied to string and int"),
            ("input.id + 1", "'+' can't be applied to string and int"),
            ("input.price + 'x'", "'+' can't be applied to number and string"),
            ("input.customer.tier < 1", "'<' can't be applied to string and int"),
            ("input.customer - 1", "'-' can't be applied to object and int"),
            ("!input.id", "'!' can't be applied to string"), ("-input.flag", "'-' can't be applied to bool"),
            ("input.price % 1.5", "'%' can't be applied to number and double"),
            ("input.id.nmae", "a value of type string has no member 'nmae'"),
            ("input.items.name", "a value of type list(object) has no member 'name'"),
            ("input.count.startsWith('a')", "'startsWith' can't be applied to (int, string)"),
            ("input.customer[1]", "'[]' can't be applied to object and int"),
        ] as [(String, String)]
    )
    func refuses(_ source: String, _ message: String) throws {
        let error = try #require(throws: CELError.self) { try CELProgram(compiling: source, in: Self.environment) }
        #expect(error.message == message)
    }

    /// A number of JSON may be an int or a double: whatever takes one of them takes it.
    @Test(
        arguments: [
            ("input.price + 1", .number), ("input.price * 1.5", .double), ("1 - input.price", .number),
            ("input.price % 2", .int), ("-input.price", .number), ("input.price < input.count", .bool),
            ("input.price / input.any", .dyn), ("string(input.price)", .string), ("int(input.price)", .int),
            ("input.tags[input.price]", .string), ("input.customer.tier + '!'", .string),
            ("input.flag ? input.customer.tier : input.id", .string),
            ("size(input.customer)", .int), ("input.customer.map(k, k)", .list(.string)),
            ("[input.price].sum()", .dyn), ("input.id.charAt(input.price)", .string),
        ] as [(String, CELType)]
    )
    func types(_ source: String, _ type: CELType) throws {
        let program = try CELProgram(compiling: source, in: Self.environment)
        #expect(program.resultType == type)
        #expect(program.notes == [])
    }

    @Test(
        arguments: [
            ("input.any", [.value]), ("[input.any, {'a': input.any}]", [.value, .value]),
            ("input.flag ? input.any : input.any", [.operand, .value, .value]), ("input.any + 1", [.operand]),
            ("size(input.any)", [.operand]), ("input.any == null", [.comparison]),
            ("input.any in input.tags", [.comparison, .operand]), ("has(input.any.x)", [.presence]),
            ("input.any.map(x, input.id)", [.operand, .value]), ("!input.any || input.any", [.operand, .operand]),
            ("input.any[input.count]", [.operand, .operand]), ("dyn(input.any)", [.value]),
        ] as [(String, [CELReference.Use])]
    )
    func uses(_ source: String, _ uses: [CELReference.Use]) throws {
        #expect(try CELProgram(compiling: source, in: Self.environment).references.map(\.use) == uses)
    }
}
