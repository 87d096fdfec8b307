import RE2

/// The properties of `\p{…}`, by ECMA-262's names, as RE2 writes them.
enum UnicodeProperty {
    /// What stands in a class for a property, such as `Letter`, `Lu`, `Script=Greek`.
    static func set(_ name: String, isNegated: Bool) throws(RE2Error) -> String {
        let parts = name.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
        let property: String
        if parts.count == 2 {
            switch parts[0] {
            case "General_Category", "gc": property = try category(parts[1], in: name)
            case "Script", "sc": property = try script(parts[1], in: name)
            default: throw unknown(name)
            }
        } else if name == "Any" {
            return isNegated ? #"\P{Any}"# : #"\p{Any}"#
        } else if name == "ASCII" {
            return isNegated ? #"\x{80}-\x{10ffff}"# : #"\x{0}-\x{7f}"#
        } else {
            property = try category(name, in: name)
        }
        return "\\" + (isNegated ? "P" : "p") + "{" + property + "}"
    }

    private static func unknown(_ name: String) -> RE2Error {
        RE2Error(message: "the property `\(name)` isn't supported; there are general categories and `Script=…`")
    }

    private static func category(_ name: String, in whole: String) throws(RE2Error) -> String {
        if let short = categories[name] { return short }
        guard categories.values.contains(name) else { throw unknown(whole) }
        return name
    }

    /// RE2 knows scripts by their long names only.
    private static func script(_ name: String, in whole: String) throws(RE2Error) -> String {
        let long = scripts[name] ?? name
        let isName = long.utf8.count > 2 && long.utf8.allSatisfy { $0.isLetter || $0 == UInt8(ascii: "_") }
        guard isName, long != "Any", (try? RE2Pattern.checkSyntax(of: "\\p{\(long)}")) != nil else {
            throw unknown(whole)
        }
        return long
    }

    private static let categories = [
        "Letter": "L", "Uppercase_Letter": "Lu", "Lowercase_Letter": "Ll",
        "Titlecase_Letter": "Lt", "Modifier_Letter": "Lm", "Other_Letter": "Lo",
        "Mark": "M", "Combining_Mark": "M", "Nonspacing_Mark": "Mn", "Spacing_Mark": "Mc", "Enclosing_Mark": "Me",
        "Number": "N", "Decimal_Number": "Nd", "digit": "Nd", "Letter_Number": "Nl", "Other_Number": "No",
        "Punctuation": "P", "punct": "P", "Connector_Punctuation": "Pc", "Dash_Punctuation": "Pd",
        "Open_Punctuation": "Ps", "Close_Punctuation": "Pe", "Initial_Punctuation": "Pi", "Final_Punctuation": "Pf",
        "Other_Punctuation": "Po",
        "Symbol": "S", "Math_Symbol": "Sm", "Currency_Symbol": "Sc", "Modifier_Symbol": "Sk", "Other_Symbol": "So",
        "Separator": "Z", "Space_Separator": "Zs", "Line_Separator": "Zl", "Paragraph_Separator": "Zp",
        "Control": "Cc", "cntrl": "Cc", "Format": "Cf", "Private_Use": "Co", "Surrogate": "Cs",
    ]

    private static let scripts = [
        "Latn": "Latin", "Grek": "Greek", "Cyrl": "Cyrillic", "Arab": "Arabic", "Hebr": "Hebrew", "Hani": "Han",
        "Hira": "Hiragana", "Kana": "Katakana", "Hang": "Hangul", "Thai": "Thai", "Deva": "Devanagari",
        "Armn": "Armenian", "Geor": "Georgian", "Zyyy": "Common", "Zinh": "Inherited",
    ]
}
