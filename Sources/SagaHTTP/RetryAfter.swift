import NIOHTTP1
import SagaCore

/// How long a participant asks to be left alone (`Retry-After`, RFC 9110, 10.2.3).
enum RetryAfter {
    /// No participant holds a saga back for longer than this.
    static let longest = TimeSpan.seconds(86_400)

    /// The wait that an answer asks for, at most a day; nil when it asks for none or can't be read.
    ///
    /// A date counts from the answer's own `Date`, so that no clock but the participant's is in it; without one
    /// it says nothing. A date that has passed is no wait.
    static func wait(in headers: HTTPHeaders) -> TimeSpan? {
        guard let text = headers.first(name: "Retry-After").map(trimmed), !text.isEmpty else { return nil }
        if text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            // Digits that don't fit are a number all the same, and a large one.
            return Int64(text).map { min(.seconds($0), longest) } ?? longest
        }
        guard let until = HTTPDate.seconds(text),
            let date = headers.first(name: "Date").map(trimmed).flatMap({ HTTPDate.seconds($0) })
        else { return nil }
        return min(max(.seconds(until - date), .zero), longest)
    }

    private static func trimmed(_ text: String) -> Substring {
        let isText: (Character) -> Bool = { $0 != " " && $0 != "\t" }
        guard let first = text.firstIndex(where: isText), let last = text.lastIndex(where: isText) else { return "" }
        return text[first...last]
    }
}
