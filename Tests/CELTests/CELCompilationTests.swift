import CEL
import Testing

@Suite struct CELCompilationTests {
    static let environment = CELEnvironment(variables: [
        "input": .dyn,
        "saga": .object(["id": .string, "key": .string, "name": .string]),
        "steps": .object([
            "charge_payment": .object(["output": .dyn, "status": .string, "error": .dyn]),
            "ship": .object(["output": .dyn, "status": .string, "error": .dyn]),
        ]),
    ])

    private func compile(_ source: String) throws -> CELProgram {
        try CELProgram(compiling: source, in: Self.environment)
    }

    @Test(
        arguments: [
            ("inptu.a", 0, "there is no variable 'inptu'", "did you mean 'input'?"),
            ("zzz", 0, "there is no variable 'zzz'", "there are input, saga, steps"),
            (
                "1 + steps.charge_paymnet.output", 10, "there is no member 'charge_paymnet'",
                "did you mean 'charge_payment'?"
            ),
            ("steps['shp'].output", 6, "there is no member 'shp'", "did you mean 'ship'?"),
            ("has(steps.nothing)", 10, "there is no member 'nothing'", "there are charge_payment, ship"),
            ("saga.ky", 5, "there is no member 'ky'", "did you mean 'key'?"),
            ("saga.id.x", 8, "a value of type string has no member 'x'", nil),
            ("szie(input)", 0, "there is no function 'szie'", "did you mean 'size'?"),
            ("input.lowerASCII()", 6, "there is no function 'lowerASCII'", "did you mean 'lowerAscii'?"),
            ("lowerAscii(input)", 0, "there is no function 'lowerAscii'", "write VALUE.lowerAscii(…)"),
            ("'1'.int()", 4, "there is no function 'int'", "write int(…)"),
            (
                "input.map(x)", 6, "there is no function 'map'",
                "it is used as LIST.map(x, RESULT) or LIST.map(x, CONDITION, RESULT)"
            ),
            ("map(input, x)", 0, "there is no function 'map'", "write LIST.map(…)"),
            ("'a'.matches('(')", 12, "this is not a regular expression: missing ): (", nil),
            ("now()", 0, "there is no function 'now'", nil),
            ("size(1, 2)", 0, "'size' takes 1 argument, not 2", nil),
            ("'a'.substring()", 4, "'substring' takes 1 or 2 arguments, not 0", nil),
            ("'a'.startsWith(1)", 4, "'startsWith' can't be applied to (string, int)", "it takes (string, string)"),
            (
                "saga.id + 1", 8, "'+' can't be applied to string and int",
                "string(…) converts a value to text, int(…) and double(…) a text to a number"
            ),
            (
                "1 < 'a'", 2, "'<' can't be applied to int and string",
                "string(…) converts a value to text, int(…) and double(…) a text to a number"
            ),
            ("1u + 1", 3, "'+' can't be applied to uint and int", "int(…) and uint(…) convert"),
            ("!1", 0, "'!' can't be applied to int", nil),
            ("-'a'", 0, "'-' can't be applied to string", nil),
            ("1 in 2", 2, "'in' can't be applied to int and int", nil),
            ("1 ? 2 : 3", 2, "'?' can't be applied to int", nil),
            ("1.5 % 2", 4, "'%' can't be applied to double and int", nil),
            ("saga.id.all(x, true)", 8, "'all' needs a list or a map, not string", nil),
            ("[1].all(x, x + 1)", 4, "the condition of 'all' must be a bool, not int", nil),
            (
                "[1].map(x.y, 1)", 8, "'map' needs a variable's name here",
                "it is used as LIST.map(x, RESULT) or LIST.map(x, CONDITION, RESULT)"
            ),
            ("[1].all(x, x, true)", 11, "the name 'x' is there twice", nil),
            ("has(input)", 0, "'has' takes one member access, such as has(input.coupon)", nil),
            ("[1]['a']", 3, "'[]' can't be applied to list(int) and string", nil),
            ("", 0, "expected an operand, found the end of the expression", nil),
            ("1 +", 3, "expected an operand, found the end of the expression", nil),
            ("1 2", 2, "expected an operator or the end of the expression, found '2'", nil),
            ("(1", 2, "expected ')', found the end of the expression", nil),
            ("a ? b", 5, "expected ':', found the end of the expression", nil),
            ("input.", 6, "expected a member's name, found the end of the expression", nil),
            ("size(1,)", 7, "expected an argument, found ')'", nil),
            ("input = 1", 6, "'=' has no meaning here", "equality is written =="),
            ("true & false", 5, "'&' has no meaning here", "and is written &&"),
            ("“a”", 0, "'“' has no meaning here", "use straight quotes"),
            ("é", 0, "'é' has no meaning here", nil),
            ("'abc", 0, "this string has no closing quote", nil),
            (
                "'a\nb'", 0, "this string has no closing quote on its line",
                "a text of several lines has three quotes on either side"
            ),
            (#"'a\q'"#, 2, "this escape has no meaning", nil),
            (#"'\ud800'"#, 1, "there is no such character", nil),
            (#"'é\u12'"#, 3, "this escape needs 4 hexadecimal digits", nil),
            (#"b'\u0041'"#, 2, "this escape has no meaning", nil),
            (#"'\400'"#, 1, "this escape has no meaning", nil),
            ("9223372036854775808", 0, "this number doesn't fit 64 bits", nil),
            ("18446744073709551616u", 0, "this number doesn't fit 64 bits", nil),
            ("1a", 0, "this is not a number", nil),
            ("for", 0, "'for' is a reserved word and can't be a name", nil),
            ("Order{id: 1}", 5, "there are no message types here", nil),
            ("!-1", 1, "expected an operand, found '-'", nil),
        ] as [(String, Int, String, String?)]
    )
    func refuses(_ source: String, _ offset: Int, _ message: String, _ hint: String?) throws {
        let error = try #require(throws: CELError.self) { try compile(source) }
        #expect(error.message == message)
        #expect(error.offset == offset)
        #expect(error.hint == hint)
    }

    @Test func tellsWhatIsRead() throws {
        let source =
            "steps.charge_payment.output.chargeId + input['a b'].c[0].d + string(has(input.x))"
            + " + [1].map(y, string(y))[0]"
        let program = try compile(source)
        #expect(
            program.references.map(\.path) == [
                ["steps", "charge_payment", "output", "chargeId"], ["input", "a b", "c"], ["input", "x"],
            ]
        )
        #expect(program.references.map(\.isPresenceTest) == [false, false, true])
        let bytes = Array(source.utf8)
        func slice(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
        #expect(program.references[0].ranges.map(slice) == ["steps", "charge_payment", "output", "chargeId"])
        #expect(program.references[1].ranges.map(slice) == ["input", "'a b'", "c"])
        #expect(slice(program.references[0].range) == "steps.charge_payment.output.chargeId")
        #expect(program.isPlainReference == false)
    }

    @Test func findsReferencesEverywhere() throws {
        let source =
            "input.a ? [input.b] == {input.c: input.d}[input.e] : input.f.all(x, x == input.g) && !input.h"
            + " || -input.i in input[input.j]"
        let letters = try compile(source).references.map { $0.path.last ?? "" }
        #expect(letters == ["a", "b", "c", "d", "e", "f", "g", "h", "i", "input", "j"])
    }

    @Test(arguments: [
        ("input", true), ("input.a.b", true), ("input['a'][0].b", true), (" ( input.a ) ", true),
        ("input.a + 1", false),
        ("input[input.a]", false), ("'a'", false), ("has(input.a)", false), ("[1].map(x, x)", false),
        ("input.a()[0]", false),
    ])
    func knowsPlainReferences(_ source: String, _ isPlain: Bool) throws {
        #expect((try? compile(source))?.isPlainReference ?? false == isPlain)
    }

    @Test func inferredTypes() throws {
        #expect(try compile("saga.id + 'x'").resultType == .string)
        #expect(try compile("[1, 2].map(x, x * 2.0)").resultType == .list(.double))
        #expect(try compile("input.a + 1").resultType == .dyn)
        #expect(try compile("input.a == 1").resultType == .bool)
        #expect(try compile("size(saga.id) > 3 ? 1 : 'a'").resultType == .dyn)
    }

    @Test func qualifiedVariablesTakeTheLongestName() throws {
        let environment = CELEnvironment(variables: ["a.b": .dyn, "a.b.c": .dyn, "a": .dyn])
        let variables: [String: CELValue] = ["a.b": .json(["d": 2]), "a.b.c": .int(1), "a": .json(["x": 3])]
        for (source, expected) in [("a.b.c", "1"), ("a.b.d", "2"), ("a.x", "3")] {
            let program = try CELProgram(compiling: source, in: environment)
            #expect(try program.evaluate(CELActivation(variables)).text == expected)
        }
    }

    @Test func aBadPatternIsAnErrorAtItsPlace() throws {
        let environment = CELEnvironment(variables: ["input": .string])
        let error = try #require(throws: CELError.self) {
            try CELProgram(compiling: "input.matches('(')", in: environment)
        }
        #expect(error.offset == 14)
        let program = try CELProgram(compiling: "input.matches('^a' + 'b$') && matches(input, 'b')", in: environment)
        #expect(try program.evaluate(CELActivation(["input": .string("ab")])).text == "true")
        #expect(try program.evaluate(CELActivation(["input": .string("abc")])).text == "false")
    }
}
