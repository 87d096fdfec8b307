import CEL
import JSON
import Testing

@testable import SagaCore

@Suite struct TemplateTests {
    @Test(
        arguments: [
            ("", [.literal("")]),
            ("plain $ text }", [.literal("plain $ text }")]),
            ("${a}", [.expression(source: "a", offset: 2)]),
            (
                "é${ a }${b} c",
                [
                    .expression(source: " a ", offset: 4), .expression(source: "b", offset: 10), .literal(" c"),
                ]
            ),
            ("$${a} $$${b} $", [.literal("${a} $${b} $")]),
            ("${ {'}': \"}\"}['}'] }!", [.expression(source: " {'}': \"}\"}['}'] ", offset: 2), .literal("!")]),
            (#"${ '\'}' + r'\' + R"}\" }"#, [.expression(source: #" '\'}' + r'\' + R"}\" "#, offset: 2)]),
            ("${ '''}'}''' + br'''}''' }", [.expression(source: " '''}'}''' + br'''}''' ", offset: 2)]),
            ("${ a // }\n + b }", [.expression(source: " a // }\n + b ", offset: 2)]),
            ("${ 'open\n } + x }", [.expression(source: " 'open\n ", offset: 2), .literal(" + x }")]),
        ] as [(String, [TemplateScanner.Piece])]
    )
    func pieces(_ text: String, _ expected: [TemplateScanner.Piece]) throws {
        let leading: [TemplateScanner.Piece] = text.hasPrefix("é") ? [.literal("é")] : []
        #expect(try TemplateScanner.pieces(of: text) == leading + expected)
    }

    @Test(arguments: [
        ("a ${", 2, nil), ("${ {", 0, nil), ("${ 'x}", 0, 3), ("${ '''x' }", 0, 3), ("${a} ${ // }", 5, nil),
    ])
    func unterminated(_ text: String, _ offset: Int, _ openString: Int?) {
        #expect(throws: TemplateScanner.Unterminated(offset: offset, openString: openString)) {
            try TemplateScanner.pieces(of: text)
        }
    }

    private let activation = CELActivation([
        "input": .json([
            "price": .number(JSONNumber(literal: "0.10")!), "id": "a/b é?", "n": 3, "list": [1, "x"],
            "line": "a\r\nSaga-Id: 1",
            "none": nil,
        ])
    ])

    private func template(_ json: String) throws -> Template {
        var compiler = TemplateCompiler(environment: CELEnvironment(variables: ["input": .dyn]))
        let template = compiler.compile(try LocatedJSON.parse(Array(json.utf8)))
        try #require(compiler.faults.isEmpty)
        return template
    }

    @Test(arguments: [
        (#""${ input.price }""#, "0.10"),
        (#""${ input.list }""#, #"[1,"x"]"#),
        (#""${ input.none }""#, "null"),
        (#""${ input.n + 1 }""#, "4"),
        (
            #""n is ${ input.n }, price ${ input.price }, ${ input.none }, ${ input.list }""#,
            #""n is 3, price 0.10, null, [1,\"x\"]""#
        ),
        (#"{"z": 1e2, "a": ["${ input.n }", {"k": "$${x}"}], "e": {}}"#, #"{"z":1e2,"a":[3,{"k":"${x}"}],"e":{}}"#),
    ])
    func values(_ json: String, _ expected: String) throws {
        #expect(try template(json).evaluate(activation).text == expected)
    }

    @Test func texts() throws {
        let path = try template(#""/a b/${ input.id }/${ input.n }""#)
        #expect(try path.evaluateText(activation, percentEncoding: true) == "/a b/a%2Fb%20%C3%A9%3F/3")
        #expect(try path.evaluateText(activation, percentEncoding: false) == "/a b/a/b é?/3")
        let whole = try template(#""${ input.list }""#)
        #expect(try whole.evaluateText(activation, percentEncoding: true) == "%5B1%2C%22x%22%5D")
        #expect(try template("1.50").evaluateText(activation, percentEncoding: false) == "1.50")
    }

    @Test func errorsComeOut() throws {
        #expect(throws: CELError.self) { try template(#"["${ input.nope }"]"#).evaluate(activation) }
        for header in [#""${ input.line }""#, #""x ${ input.line }""#, #""a\u0000${ input.n }""#] {
            #expect(throws: CELError(offset: 0, message: "a header's value has a line break or a NUL in it")) {
                try template(header).evaluateText(activation, percentEncoding: false)
            }
        }
    }

    @Test func constantsStayWhole() throws {
        guard case .constant(let json) = try template(#"{"a": [1, "b", {"c": null}], "d": "$${e}"}"#) else {
            Issue.record("not a constant")
            return
        }
        #expect(json == ["a": [1, "b", ["c": nil]], "d": "${e}"])
    }

    @Test func placesOfNestedFaultsAreThoseOfTheFile() throws {
        var compiler = TemplateCompiler(environment: CELEnvironment(variables: ["input": .dyn]))
        _ = compiler.compile(try LocatedJSON.parse(Array(#"["\t${ input.a['é'].b }"]"#.utf8)))
        let expression = try #require(compiler.expressions.first)
        #expect(compiler.expressions.count == 1)
        #expect(expression.program.references.map(\.path) == [["input", "a", "é", "b"]])
        let reference = try #require(expression.program.references.first)
        #expect((0..<4).map { expression.place(of: $0, in: reference).offset } == [7, 13, 15, 21])
    }
}
