import JSON
import Testing

@Suite struct MergePatchTests {
    /// RFC 7396, appendix A: original, patch, result.
    @Test(arguments: [
        (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
        (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
        (#"{"a":"b"}"#, #"{"a":null}"#, #"{}"#),
        (#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#),
        (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
        (#"{"a":"c"}"#, #"{"a":["b"]}"#, #"{"a":["b"]}"#),
        (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
        (#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#),
        (#"["a","b"]"#, #"["c","d"]"#, #"["c","d"]"#),
        (#"{"a":"b"}"#, #"["c"]"#, #"["c"]"#),
        (#"{"a":"foo"}"#, #"null"#, #"null"#),
        (#"{"a":"foo"}"#, #""bar""#, #""bar""#),
        (#"{"e":null}"#, #"{"a":1}"#, #"{"e":null,"a":1}"#),
        (#"[1,2]"#, #"{"a":"b","c":null}"#, #"{"a":"b"}"#),
        (#"{}"#, #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
    ])
    func asTheStandardSays(_ original: String, _ patch: String, _ result: String) throws {
        #expect(try merged(original, patch) == result)
    }

    /// The example of the RFC's section 3.
    @Test func theExampleOfTheStandard() throws {
        let original = """
            {"title":"Goodbye!","author":{"givenName":"John","familyName":"Doe"},"tags":["example","sample"],\
            "content":"This will be unchanged"}
            """
        let patch = """
            {"title":"Hello!","phoneNumber":"+01-123-456-7890","author":{"familyName":null},"tags":["example"]}
            """
        #expect(
            try merged(original, patch) == """
                {"title":"Hello!","author":{"givenName":"John"},"tags":["example"],\
                "content":"This will be unchanged","phoneNumber":"+01-123-456-7890"}
                """)
    }

    @Test func numbersKeepTheirLiteralsAndMembersTheirOrder() throws {
        #expect(
            try merged(#"{"z":0.10,"y":[1.0e2],"x":18446744073709551617}"#, #"{"y":{"n":2.50},"a":-0.0}"#)
                == #"{"z":0.10,"y":{"n":2.50},"x":18446744073709551617,"a":-0.0}"#)
    }

    @Test func anEmptyPatchMakesAnObjectOfAnything() throws {
        #expect(try merged("[1]", "{}") == "{}")
        #expect(try merged(#"{"a":null}"#, "{}") == #"{"a":null}"#)
    }

    private func merged(_ original: String, _ patch: String) throws -> String {
        try JSON.parse(Array(original.utf8)).merging(patch: try JSON.parse(Array(patch.utf8))).text
    }
}
