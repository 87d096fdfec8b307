import CEL
import JSON
import Testing

/// Evaluates with variables that nothing is known of.
func evaluate(
    _ source: String,
    _ variables: [String: CELValue] = [:],
    limits: CELLimits = .default
) throws -> CELValue {
    let environment = CELEnvironment(variables: variables.mapValues { _ in .dyn })
    return try CELProgram(compiling: source, in: environment).evaluate(CELActivation(variables), limits: limits)
}

func evaluateJSON(_ source: String, input: String = "null", limits: CELLimits = .default) throws -> String {
    let program = try CELProgram(compiling: source, in: CELEnvironment(variables: ["input": .dyn]))
    let activation = CELActivation(["input": .json(try JSON.parse(input))])
    return try program.evaluateJSON(activation, limits: limits).text
}

func failure(_ source: String, input: String = "null", limits: CELLimits = .default) throws -> CELError {
    try #require(throws: CELError.self) { try evaluateJSON(source, input: input, limits: limits) }
}

@Suite struct CELSemanticsTests {
    static let order = #"""
        {"total": 120, "country": "DE", "amount": 0.10, "big": 9007199254740993, "items":
        [{"sku": "a", "unitPriceCents": 1999, "quantity": 2}, {"sku": "b", "unitPriceCents": 35, "quantity": 24}],
        "tags": ["x", "y", "x"], "customer": null, "a-b": {"c d": 1}}
        """#

    @Test(arguments: [
        (#"input.total > 100 && input.country == "DE""#, "true"),
        ("input.amount", "0.10"),
        ("[input.amount, input.big]", "[0.10,9007199254740993]"),
        ("input.total > 1 ? input.amount : 0", "0.10"),
        ("{'amount': input.amount, 'n': input.customer}", #"{"amount":0.10,"n":null}"#),
        ("input.big + 1", "9007199254740994"),
        ("input.amount * 3", "0.30000000000000004"),
        ("input.total / 7", "17"),
        ("input.total / 7.0", "17.142857142857142"),
        ("1 + 0.5", "1.5"),
        ("2 * 1.5", "3"),
        ("input.items.map(i, i.unitPriceCents * i.quantity).sum()", "4838"),
        ("input.items.map(i, i.quantity > 2, i.sku)", #"["b"]"#),
        ("input.items.filter(i, i.sku == 'a')", #"[{"sku":"a","unitPriceCents":1999,"quantity":2}]"#),
        ("input.items[0].sku + string(input.items[1]['quantity'])", #""a24""#),
        ("input['a-b']['c d']", "1"),
        ("input.`a-b`", #"{"c d":1}"#),
        ("has(input.coupon) ? input.coupon : 'none'", #""none""#),
        ("has(input.customer)", "true"),
        ("'total' in input && !('coupon' in input)", "true"),
        ("input.tags.distinct()", #"["x","y"]"#),
        ("input.items.map(i, i.unitPriceCents).max()", "1999"),
        ("[3, 1.5, 2u].min()", "1.5"),
        ("[].sum()", "0"),
        (
            "[1, 1.0, 1u, 2, 'a', 'a', null, [1], [1.0], {'a': 1, 'b': 2}, {'b': 2, 'a': 1.0}].distinct()",
            #"[1,2,"a",null,[1],{"a":1,"b":2}]"#
        ),
        ("[duration('1s'), duration('2s')].sum()", #""3s""#),
        ("size(input.items) + input.tags.size() + size('añ')", "7"),
        ("input.tags.exists(t, t == 'y') && input.tags.all(t, size(t) == 1)", "true"),
        ("input.map(k, k)[0]", #""total""#),
        ("{'b': 1, 'a': 2}.transformMap(k, v, v * 2)", #"{"b":2,"a":4}"#),
        ("['k', 'l'].transformMapEntry(i, v, {v: i})", #"{"k":0,"l":1}"#),
        ("input.items == input.items && input.items != input.tags", "true"),
        ("[1, 2] == [1.0, 2u] && {'a': [1]} == {'a': [1.0]}", "true"),
        ("b'abc'", #""YWJj""#),
        ("[b'', b'a', b'ab', b'\\xff\\xfe\\xfd\\xfc']", #"["","YQ==","YWI=","//79/A=="]"#),
        ("timestamp('2026-01-31T10:00:00.5+02:00')", #""2026-01-31T08:00:00.5Z""#),
        ("duration('1h1.5s')", #""3601.5s""#),
        ("duration('-1.5s')", #""-1.5s""#),
        ("18446744073709551615u", "18446744073709551615"),
        ("type(input.total) == int && type(input.amount) == double && type(input) == map", "true"),
        ("type(1)", #""int""#),
        ("'e\\u0301' == '\\u00e9'", "false"),
        ("'\\U0001F600' > '\\uFFFD'", "true"),
        ("  1 // one\n + // and\n 2 ", "3"),
        ("'%s has %d for %.2f'.format(['order', input.total, input.amount])", #""order has 120 for 0.10""#),
        ("'%.2f %.2f %.1e'.format([2.675, 1e22, 0.00099951])", #""2.67 10000000000000000000000.00 1.0e-03""#),
        ("'%.0f %.0f %.1f %e'.format([0.5, -1.5, 0.05, 0.0])", #""0 -2 0.1 0.000000e+00""#),
        ("'abc'.split('') + 'a,b,,c'.split(',', 3) + ''.split(',')", #"["a","b","c","a","b",",c",""]"#),
        ("'abc'.replace('', '-') + 'aaa'.replace('a', 'b', 2)", #""-a-b-c-bba""#),
        ("string(0.1) + string(-0.0) + string(1e21) + string(3.0)", #""0.1-01e+213""#),
        ("input.total", "120"),
    ])
    func givesJSON(_ source: String, _ expected: String) throws {
        #expect(try evaluateJSON(source, input: Self.order) == expected)
    }

    @Test(arguments: [
        ("input.coupon", 6, "no such key: 'coupon'"),
        ("input.customer.name", 15, "null has no members, so none named 'name'"),
        ("has(input.customer.name)", 19, "null has no members, so none named 'name'"),
        ("input.items[2]", 11, "index 2 is outside a list of 2 elements"),
        ("input.items['0']", 12, "a list has no members, so none named '0'"),
        ("input.items[input.country]", 11, "a list's index must be an integer, not a string"),
        ("9223372036854775807 + input.total", 20, "the result doesn't fit 64 bits"),
        ("input.total % 0", 12, "remainder of a division by zero"),
        ("input.total / 0", 12, "division by zero"),
        ("input.country + 1", 14, "'+' can't be applied to a string and an int"),
        ("input.country > 1", 14, "'>' can't compare a string with an int"),
        ("!input.total", 0, "'!' takes a bool, not an int"),
        ("input.total && true", 12, "'&&' takes bools, not an int"),
        ("input.total ? 1 : 2", 12, "the condition of '?' must be a bool, not an int"),
        ("input.total.map(x, x)", 12, "an int is neither a list nor a map"),
        ("input.tags.sum()", 11, "'sum' adds numbers or durations, not a string"),
        ("[].max()", 3, "'max' of an empty list"),
        ("[1, input.country].max()", 19, "'max' can't compare a string with an int"),
        ("[1.0, 0.0 / 0.0].min()", 17, "'min' of a list with NaN"),
        ("{input.country: 1, 'DE': 2}", 19, "the key 'DE' is there twice"),
        ("{input.amount: 1}", 1, "a key must be a bool, an int, a uint or a string, not a double"),
        ("int(input.country)", 0, "this text is not an int"),
        ("{1: 'a'}", 0, "a key in JSON must be a string, not an int"),
        ("0.0 / 0.0", 0, "NaN can't be expressed in JSON"),
        ("-1.0 / 0.0", 0, "-Infinity can't be expressed in JSON"),
    ])
    func namesTheFault(_ source: String, _ offset: Int, _ message: String) throws {
        let error = try failure(source, input: Self.order)
        #expect(error.message == message)
        #expect(error.offset == offset)
    }

    @Test(arguments: [
        ("input.amount", "0.10"), ("input.country", "DE"), ("input.customer", "null"), ("input.total > 1", "true"),
        ("input.tags", #"["x","y","x"]"#), ("input.amount * 1", "0.1"), ("[1, 'a']", #"[1,"a"]"#),
        ("1.5e300", "1.5e+300"),
        ("timestamp(0)", "1970-01-01T00:00:00Z"), ("duration('90s')", "90s"), ("b'abc'", "YWJj"), ("0.0 / 0.0", "NaN"),
        ("{'a': duration('1s')}", #"{"a":"1s"}"#), ("1u", "1"), ("int", "int"),
    ])
    func givesText(_ source: String, _ expected: String) throws {
        let value = try evaluate(source, ["input": .json(try JSON.parse(Self.order))])
        #expect(try value.text == expected)
    }

    @Test func logicAbsorbsErrorsFromBothSides() throws {
        #expect(try evaluateJSON("input.a.b.c || true") == "true")
        #expect(try evaluateJSON("true || input.a.b.c") == "true")
        #expect(try evaluateJSON("1 / 0 == 1 && 2 / 0 == 1 && false") == "false")
        #expect(try failure("1 / 0 == 1 && 2 % 0 == 1 && true").message == "division by zero")
        #expect(try evaluateJSON("[0, 1].exists(x, 1 / x == 1)") == "true")
        #expect(try evaluateJSON("[0, 1].all(x, 1 / x == 2)") == "false")
        #expect(try failure("[0, 1].all(x, 1 / x == 1)").message == "division by zero")
    }

    @Test func macroVariablesHideAndEnd() throws {
        #expect(try evaluateJSON("[1, 2].map(input, input * 2)", input: "[7]") == "[2,4]")
        #expect(try evaluateJSON("[1].map(x, [10].map(x, x + 1)[0] + x)") == "[12]")
        #expect(try evaluateJSON("[1, 2].map(x, [10, 20].map(y, x * y))") == "[[10,20],[20,40]]")
        #expect(try failure("[1].map(x, x) == [x]").message == "there is no variable 'x'")
    }

    @Test func aVariableWithoutValueIsAnErrorWhenRead() throws {
        let program = try CELProgram(
            compiling: "a == 1 || b == 2",
            in: CELEnvironment(variables: ["a": .int, "b": .int])
        )
        guard case .bool(true) = try program.evaluate(CELActivation(["b": .int(2)])) else {
            Issue.record("b alone decides")
            return
        }
        let error = #expect(throws: CELError.self) { try program.evaluate(CELActivation(["b": .int(3)])) }
        #expect(error?.message == "the variable 'a' has no value")
    }
}
