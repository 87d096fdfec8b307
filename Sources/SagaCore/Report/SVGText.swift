/// Text in a picture: made safe for XML, measured, and cut to the room there is.
enum SVGText {
    enum Font: Sendable {
        case regular, bold, monospaced
    }

    /// The text on one line, without what XML forbids and what could turn the writing's direction round; runs of
    /// blanks become one.
    static func cleaned(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        var isBlank = false
        for scalar in text.unicodeScalars {
            switch scalar {
            case " ", "\n", "\r", "\t", "\u{85}", "\u{2028}", "\u{2029}":
                isBlank = true
                continue
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{FFFE}", "\u{FFFF}", "\u{61C}", "\u{200E}", "\u{200F}",
                "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}":
                continue
            default:
                if isBlank, !result.isEmpty { result.append(" ") }
                isBlank = false
                result.append(scalar)
            }
        }
        return String(result)
    }

    /// The text as it may stand between tags and within an attribute's quotes.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in cleaned(text).unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// The text in at most `room` pixels, its end cut off with `…` when it is longer.
    static func cut(_ text: String, _ font: Font, size: Int, room: Int) -> String {
        let text = cleaned(text)
        let room = room * 100
        var used = 0
        var kept = String.UnicodeScalarView()
        var keptWithMark = kept
        for scalar in text.unicodeScalars {
            used += hundredths(scalar, font) * size
            if used > room {
                while keptWithMark.last == " " { keptWithMark.removeLast() }
                return String(keptWithMark) + "…"
            }
            kept.append(scalar)
            if used + hundredths("…", font) * size <= room { keptWithMark = kept }
        }
        return text
    }

    /// The text in lines of at most `room` pixels, broken at blanks; what is left after the last line is cut off.
    static func wrapped(_ text: String, _ font: Font, size: Int, room: Int, lines limit: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in cleaned(text).split(separator: " ") {
            let longer = line.isEmpty ? String(word) : "\(line) \(word)"
            if line.isEmpty || lines.count + 1 >= limit || width(longer, font, size: size) <= room {
                line = longer
            } else {
                lines.append(line)
                line = String(word)
            }
        }
        return (lines + [line]).map { cut($0, font, size: size, room: room) }
    }

    /// How wide the text is at most, in pixels.
    ///
    /// There are no real metrics without the reader's fonts. DejaVu Sans and Verdana are the widest of the usual ones,
    /// so what fits in theirs fits in all of them.
    static func width(_ text: String, _ font: Font, size: Int) -> Int {
        (text.unicodeScalars.reduce(0) { $0 + hundredths($1, font) } * size + 99) / 100
    }

    /// The advance in hundredths of the font's size.
    private static func hundredths(_ scalar: Unicode.Scalar, _ font: Font) -> Int {
        let isWide = scalar.value >= 0x1100 && scalar != "…" && !(0x1E00...0x2E7F).contains(scalar.value)
        if font == .monospaced { return isWide ? 121 : 61 }
        let table = font == .bold ? bold : regular
        let index = Int(scalar.value) - 32
        if table.indices.contains(index) { return table[index] }
        if isWide || scalar == "…" { return 104 }
        return font == .bold ? 90 : 80
    }

    // Advances of DejaVu Sans 2.37 for U+0020 to U+007E.
    private static let regular = [
        32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34,
        84, 84, 84, 53, 100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75, 79, 60, 79, 69, 63, 61, 73, 68, 99,
        69, 61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35, 63, 63, 28, 28, 58, 28, 97, 63, 61, 63, 63, 41, 52,
        39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84,
    ]
    private static let bold = [
        35, 46, 52, 84, 70, 100, 87, 31, 46, 46, 52, 84, 38, 42, 38, 37, 70, 70, 70, 70, 70, 70, 70, 70, 70, 70, 40, 40,
        84, 84, 84, 58, 100, 77, 76, 73, 83, 68, 68, 82, 84, 37, 37, 77, 64, 100, 84, 85, 73, 85, 77, 72, 68, 81, 77,
        110, 77, 72, 73, 46, 37, 46, 84, 50, 50, 67, 72, 59, 72, 68, 44, 72, 71, 34, 34, 67, 34, 104, 71, 69, 72, 72,
        49, 60, 48, 71, 65, 92, 65, 65, 58, 71, 37, 71, 84,
    ]
}
