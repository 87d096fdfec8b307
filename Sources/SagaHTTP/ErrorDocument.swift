import JSON
import NIOHTTP1

/// What the body of an answer says about why it isn't a yes.
struct ErrorDocument: Sendable, Hashable {
    /// Nil when the body names no usable error.
    var name: String?
    /// Nil when the body holds no message.
    var message: String?

    /// Reads `error` and `message` of a JSON object, else a problem document's `type`, `detail` and `title` (RFC 9457).
    ///
    /// A body that isn't a JSON object says nothing. `type` counts in `application/problem+json`, and in any other
    /// object when it is an absolute reference, since many participants send problem documents as plain JSON.
    init(body: [UInt8], headers: HTTPHeaders) {
        guard body.first(where: { !JSONWhitespace.contains($0) }) == UInt8(ascii: "{"),
            let document = try? JSON.parse(body)
        else { return }
        if case .string(let error)? = document["error"], Self.isUsable(error[...]) {
            name = error
        } else if case .string(let type)? = document["type"] {
            name = Self.problemName(type, isProblem: Self.isProblemDocument(headers))
        }
        for key in ["message", "detail", "title"] {
            guard case .string(let text)? = document[key], !text.isEmpty else { continue }
            message = PlainText.bounded(text)
            break
        }
    }

    /// Whether a participant may name its error so: `[A-Za-z0-9._:-]{1,128}`, and not the engine's own `Saga.`.
    static func isUsable(_ name: Substring) -> Bool {
        let bytes = name.utf8
        guard (1...128).contains(bytes.count), !name.hasPrefix("Saga.") else { return false }
        return bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }

    private static func isProblemDocument(_ headers: HTTPHeaders) -> Bool {
        guard let type = headers.first(name: "Content-Type") else { return false }
        return type.prefix { $0 != ";" && $0 != " " }.lowercased() == "application/problem+json"
    }

    /// The last part of the path of a problem's `type`; `about:blank` stands for no type at all.
    private static func problemName(_ type: String, isProblem: Bool) -> String? {
        var path = type.prefix { $0 != "?" && $0 != "#" }
        guard path.lowercased() != "about:blank" else { return nil }
        var isAbsolute = path.hasPrefix("/")
        if let colon = path.firstIndex(of: ":"), !path[..<colon].contains("/") {
            isAbsolute = true
            path = path[path.index(after: colon)...]
        }
        guard isProblem || isAbsolute else { return nil }
        if path.hasPrefix("//") {
            guard let slash = path.dropFirst(2).firstIndex(of: "/") else { return nil }
            path = path[slash...]
        }
        guard let last = path.split(separator: "/").last, isUsable(last) else { return nil }
        return String(last)
    }
}

/// The four bytes that JSON calls white space.
enum JSONWhitespace {
    static func contains(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }
}
