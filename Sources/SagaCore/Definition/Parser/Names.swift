/// What names of a definition may look like.
enum Names {
    /// What ``isName(_:)`` accepts, in the syntax that ECMA-262, RE2 and Python share; so are the others.
    static let namePattern = "^[A-Za-z][A-Za-z0-9_-]{0,62}$"
    static let errorNamePattern = "^[A-Za-z0-9._:-]{1,128}$"
    static let headerNamePattern = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"

    /// `[A-Za-z][A-Za-z0-9_-]{0,62}`: sagas, steps and services.
    static func isName(_ text: String) -> Bool {
        let bytes = text.utf8
        guard let first = bytes.first, isLetter(first), bytes.count <= 63 else { return false }
        return bytes.allSatisfy { isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") }
    }

    /// `[A-Za-z0-9._:-]{1,128}`: errors of participants and of the engine.
    static func isErrorName(_ text: String) -> Bool {
        let bytes = text.utf8
        guard !bytes.isEmpty, bytes.count <= 128 else { return false }
        return bytes.allSatisfy { isLetter($0) || isDigit($0) || Array("._:-".utf8).contains($0) }
    }

    /// A `token` of RFC 9110 §5.6.2.
    static func isHeaderName(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { isLetter($0) || isDigit($0) || Array("!#$%&'*+-.^_`|~".utf8).contains($0) }
    }

    /// `[A-Za-z_][A-Za-z0-9_]*`: variables of the environment.
    static func isVariableName(_ bytes: some Collection<UInt8>) -> Bool {
        guard let first = bytes.first, !isDigit(first) else { return false }
        return bytes.allSatisfy { isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "_") }
    }

    /// The nearest text to a misspelt one that is a name; nil when too little is left.
    static func mended(_ text: String) -> String? {
        let kept = text.unicodeScalars.prefix(200).map { scalar -> Character in
            scalar.isASCII && (isLetter(UInt8(scalar.value)) || isDigit(UInt8(scalar.value)) || scalar == "-")
                ? Character(scalar) : "_"
        }
        let name = String(String(kept).drop { !$0.isLetter }.prefix(63))
        return isName(name) ? name : nil
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
