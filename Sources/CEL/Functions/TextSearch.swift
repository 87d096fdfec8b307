/// Finds a text in another one in linear time (Knuth, Morris, Pratt), so that no hostile pair of texts takes long.
struct TextSearch {
    private let part: [UInt8]
    /// For every beginning of the part the length of its longest proper border.
    private let borders: [Int]

    init(_ part: String) { self.init(Array(part.utf8)) }

    init(_ part: [UInt8]) {
        self.part = part
        var borders = [Int](repeating: 0, count: part.count)
        var length = 0
        for index in part.indices.dropFirst() {
            while length > 0, part[index] != part[length] { length = borders[length - 1] }
            if part[index] == part[length] { length += 1 }
            borders[index] = length
        }
        self.borders = borders
    }

    /// Where the part first begins at or behind an offset.
    func first(in text: [UInt8], from start: Int) -> Int? {
        guard !part.isEmpty else { return start }
        var length = 0
        var index = start
        while index < text.count {
            while length > 0, text[index] != part[length] { length = borders[length - 1] }
            if text[index] == part[length] { length += 1 }
            index += 1
            if length == part.count { return index - length }
        }
        return nil
    }

    /// The first occurrences that don't overlap.
    ///
    /// An empty part occurs before every character and at the end.
    func occurrences(in text: [UInt8], limit: Int) -> [Range<Int>] {
        var found: [Range<Int>] = []
        var start = 0
        while found.count < limit, start <= text.count, let next = first(in: text, from: start) {
            found.append(next..<next + part.count)
            start = next + part.count
            guard part.isEmpty else { continue }
            repeat { start += 1 } while start < text.count && text[start] & 0xC0 == 0x80
        }
        return found
    }
}
