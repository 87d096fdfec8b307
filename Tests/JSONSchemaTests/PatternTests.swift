import JSON
import RE2
import Testing

@testable import JSONSchema

@Suite struct PatternTests {
    private static let findings: [(pattern: String, text: String, isFound: Bool)] = [
        (#"^\d$"#, "3", true), (#"^\d$"#, "٣", false), (#"^\w$"#, "é", false), (#"^\W$"#, "é", true),
        (#"^\s$"#, "\u{feff}", true), (#"^\s$"#, "\u{2029}", true), (#"^\S$"#, "\u{a0}", false), (#"^\S$"#, "a", true),
        (#"^[\d.-]+$"#, "1.-", true), (#"^[^\w]$"#, "_", false), (#"^[\D]$"#, "1", false), (#"^[\S]$"#, " ", false),
        (#"^[\s\S]$"#, "\n", true), ("^.$", "\n", false), ("^.$", "\u{2028}", false), ("^.$", "\u{85}", true),
        ("^.$", "🐘", true), ("^a$", "a\n", false), ("^[^]$", "\n", true), ("[]", "a", false),
        (#"^[\b]$"#, "\u{8}", true),
        (#"a\b"#, "a b", true), (#"^\cA\x01\u0001\u{1}\0$"#, "\u{1}\u{1}\u{1}\u{1}\u{0}", true),
        (#"^\ud83d\udc18$"#, "🐘", true), (#"^\u{1F418}$"#, "🐘", true), (#"^[\u{1F400}-\u{1F4FF}]$"#, "🐘", true),
        (#"^\p{Letter}\p{Lu}\P{L}$"#, "éÉ1", true), (#"^\p{Script=Greek}+$"#, "λόγος", true),
        (#"^\p{sc=Grek}$"#, "a", false), (#"^[\p{gc=Nd}_]$"#, "٣", true), (#"^\p{ASCII}$"#, "é", false),
        (#"^\P{ASCII}$"#, "é", true), (#"^\p{Any}$"#, "\n", true), (#"^a\/b\.\$\{\}$"#, "a/b.${}", true),
        ("^(?<year>[0-9]{4})-(?:0[1-9]|1[0-2])$", "2026-11", true), (#"^\d{3}\-\d$"#, "123-4", true),
        ("^a{2,3}?$", "aa", true), ("^[a-z&&[x]$", "&", true), ("^[[:alph]+$", "[:a", true), ("^é$", "e\u{301}", false),
        ("^(a|)+$", "aa", true), ("", "a", true), ("(?:)*", "a", true),
    ]

    @Test(arguments: findings)
    func meansWhatECMAScriptMeans(pattern: String, text: String, isFound: Bool) throws {
        #expect(try ECMAPattern.compile(pattern).isFound(in: text) == isFound)
    }

    private static let faulty: [(pattern: String, message: String)] = [
        ("(?=a)", "look-ahead `(?=` isn't supported"), ("(?!a)", "look-ahead `(?!` isn't supported"),
        ("(?<=a)", "look-behind `(?<=` isn't supported"), ("(?<!a)", "look-behind `(?<!` isn't supported"),
        (#"(a)\1"#, "back-references such as `\\1` aren't supported"),
        (#"(?<a>b)\k<a>"#, "back-references such as `\\k<name>` aren't supported"),
        ("(?i)a", "there is no group that begins with `(?` and this character"),
        ("(?<a>b)(?<a>c)", "the group `a` is there twice"), ("(?<1>b)", "a group's name is made of letters and digits"),
        ("(", "missing ): (?:"), ("a)", "unexpected ): a)"), ("[a", "a `[` has no `]`"),
        ("a]", "a `]` without its other half; for the character write `\\]`"),
        ("a{", "a `{` that begins no repetition; for the character write `\\{`"),
        ("a{1,2", "a `{` that begins no repetition; for the character write `\\{`"),
        ("*a", "there is nothing before `*` that it could repeat"),
        ("a**", "there is nothing before `*` that it could repeat"),
        ("^*", "there is nothing before `*` that it could repeat"),
        ("a{1001}", "invalid repetition size: {1001}"), ("[b-a]", "a range in a class runs backward"),
        (#"[\d-z]"#, "a range in a class runs from one character to another; for a `-` write `\\-`"),
        (#"\Z"#, "there is no escape `\\Z`"), (#"\_"#, "there is no escape `\\_`"),
        (#"\é"#, "there is no escape `\\é`"),
        (#"\"#, "it ends in a `\\`"), (#"\ud83d"#, "`\\u` with half a character"),
        (#"\u{110000}"#, "`\\u{` needs a character's number and `}`"), (#"\u12"#, "`\\u` needs 4 hexadecimal digits"),
        (#"\x1"#, "`\\x` needs 2 hexadecimal digits"), (#"\c1"#, "`\\c` needs a letter"),
        (#"\01"#, "`\\0` is followed by a digit"),
        (#"\pL"#, "`\\p` needs a property, such as `\\p{Letter}`"), (#"\p{L"#, "`\\p{` has no end"),
        (#"\p{Emoji}"#, "the property `Emoji` isn't supported; there are general categories and `Script=…`"),
        (
            #"\p{Script=Nowhere}"#,
            "the property `Script=Nowhere` isn't supported; there are general categories and `Script=…`"
        ),
    ]

    @Test(arguments: faulty)
    func saysWhatCantBeUsed(pattern: String, message: String) {
        let error = #expect(throws: RE2Error.self) { try ECMAPattern.compile(pattern) }
        #expect(error?.message == message)
    }
}
