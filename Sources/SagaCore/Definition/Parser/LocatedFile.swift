import JSON

/// A JSON file that people write, read with places for what is wrong in it.
package struct LocatedFile {
    /// Without a byte order mark; places count in it.
    package let bytes: [UInt8]
    package let root: LocatedJSON

    /// The value as the file has it, to the byte.
    package func raw(_ node: LocatedJSON) -> RawJSON { RawJSON(unchecked: Array(bytes[node.range])) }

    /// Reads a file; nil when it isn't JSON, and the log says why.
    ///
    /// Keys that are there twice are reported, too.
    /// - Parameters:
    ///   - subject: what such a file is, for messages, such as "a definition".
    ///   - keys: what it has in any case.
    package static func open(
        _ bytes: [UInt8], file: String?, subject: String, keys: String
    ) -> (file: LocatedFile?, log: FindingLog) {
        var bytes = bytes
        let hasMark = bytes.starts(with: [0xEF, 0xBB, 0xBF])
        // What follows is checked all the same; editors don't count the mark as a column.
        if hasMark { bytes.removeFirst(3) }
        let log = FindingLog(bytes: bytes.count > DefinitionParser.maximumBytes ? [] : bytes, file: file)
        if hasMark {
            log.error(.byteOrderMark, at: 0, "the file begins with a byte order mark", hint: "save it as plain UTF-8")
        }
        guard let root = root(bytes, log, subject, keys) else { return (nil, log) }
        log.reportDuplicateKeys(root)
        return (LocatedFile(bytes: bytes, root: root), log)
    }

    /// The file as JSON; nil when it isn't any, which is then reported.
    private static func root(_ bytes: [UInt8], _ log: FindingLog, _ subject: String, _ keys: String) -> LocatedJSON? {
        let maximumBytes = DefinitionParser.maximumBytes
        if bytes.count > maximumBytes {
            log.error(.fileTooLarge, at: 0, "the file has \(bytes.count) bytes, \(subject) at most \(maximumBytes)")
            return nil
        }
        if bytes.allSatisfy({ $0 == 0x20 || (0x09...0x0D).contains($0) }) {
            log.error(
                .emptyFile,
                at: 0,
                "the file is empty",
                hint: "\(subject) is an object with \(keys)"
            )
            return nil
        }
        if let offset = firstInvalidByte(bytes) {
            log.error(.notUTF8, at: offset, "the file is not UTF-8", hint: "save it as plain UTF-8")
            return nil
        }
        do throws(JSONError) {
            return try LocatedJSON.parse(bytes)
        } catch {
            log.error(.syntax, at: error.offset, error.message)
            return nil
        }
    }

    private static func firstInvalidByte(_ bytes: [UInt8]) -> Int? {
        guard String(validating: bytes, as: UTF8.self) == nil else { return nil }
        var parser = Unicode.UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        var offset = 0
        while true {
            switch parser.parseScalar(from: &iterator) {
            case .valid(let scalar): offset += scalar.count
            case .error: return offset
            case .emptyInput: return offset
            }
        }
    }
}
