import Foundation

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// A picture read back from its own text, as a viewer reads it.
struct SVGPicture {
    struct Point: Hashable {
        let x: Int
        let y: Int
    }

    struct Box: Hashable {
        let x: Int
        let y: Int
        let right: Int
        let bottom: Int

        var top: Point { Point(x: (x + right) / 2, y: y) }
        var foot: Point { Point(x: (x + right) / 2, y: bottom) }

        func overlaps(_ other: Box) -> Bool {
            x < other.right && other.x < right && y < other.bottom && other.y < bottom
        }
    }

    struct Line: Hashable {
        let start: Point
        let end: Point

        /// What it may cover at most.
        var extent: Box {
            Box(x: min(start.x, end.x), y: min(start.y, end.y), right: max(start.x, end.x), bottom: max(start.y, end.y))
        }
    }

    let width: Int
    let height: Int
    let title: String
    let summary: String
    /// By the step's name.
    private(set) var steps: [String: Box] = [:]
    private(set) var compensations: [String: Box] = [:]
    /// Where the way back passes steps that have nothing to undo.
    private(set) var dots: [Point] = []
    private(set) var forward: [Line] = []
    private(set) var back: [Line] = []
    let root: XMLElement
    /// Where the graph stands within the picture.
    private(set) var origin = Point(x: 0, y: 0)

    struct Broken: Error {
        let reason: String
    }

    init(_ text: String) throws {
        root = try XMLElement.parse(text)
        let view = (root.attributes["viewBox"] ?? "").split(separator: " ").compactMap { Int($0) }
        guard root.name == "svg", view.count == 4, view[0] == 0, view[1] == 0 else {
            throw Broken(reason: "no viewBox")
        }
        (width, height) = (view[2], view[3])
        title = root.children.first { $0.name == "title" }?.text ?? ""
        summary = root.children.first { $0.name == "desc" }?.text ?? ""
        guard let graph = root.children.first(where: { $0.name == "g" }) else { throw Broken(reason: "no graph") }
        origin = try Self.translation(graph)
        for element in graph.children {
            let classes = (element.attributes["class"] ?? "").split(separator: " ")
            switch element.name {
            case "g" where classes.contains("step"): steps[try Self.name(element)] = try Self.box(element)
            case "g" where classes.contains("compensation"):
                compensations[String(try Self.name(element).dropFirst(5))] = try Self.box(element)
            case "circle": dots.append(Point(x: try Self.number(element, "cx"), y: try Self.number(element, "cy")))
            case "path" where classes == ["forward"]: forward = try Self.lines(element)
            case "path" where classes == ["back"]: back = try Self.lines(element)
            default: break
            }
        }
    }

    static func translation(_ element: XMLElement) throws -> Point {
        let parts = (element.attributes["transform"] ?? "").split { !$0.isNumber && $0 != "-" }.compactMap { Int($0) }
        guard parts.count == 2 else { throw Broken(reason: "no translation") }
        return Point(x: parts[0], y: parts[1])
    }

    /// A box's tooltip begins with its name.
    private static func name(_ element: XMLElement) throws -> String {
        guard let title = element.children.first, title.name == "title" else { throw Broken(reason: "no title") }
        return String(title.text.prefix { $0 != ";" })
    }

    private static func number(_ element: XMLElement, _ attribute: String) throws -> Int {
        guard let number = Int(element.attributes[attribute] ?? "") else { throw Broken(reason: "no \(attribute)") }
        return number
    }

    private static func box(_ element: XMLElement) throws -> Box {
        guard let shape = element.children.first(where: { $0.attributes["class"] == "shape" }) else {
            throw Broken(reason: "no shape")
        }
        if shape.name == "rect" {
            let (x, y) = (try number(shape, "x"), try number(shape, "y"))
            return Box(x: x, y: y, right: x + (try number(shape, "width")), bottom: y + (try number(shape, "height")))
        }
        let points = try lines(shape).flatMap { [$0.start, $0.end] }
        return Box(
            x: points.map(\.x).min() ?? 0, y: points.map(\.y).min() ?? 0, right: points.map(\.x).max() ?? 0,
            bottom: points.map(\.y).max() ?? 0)
    }

    /// The lines of a path of `M`, `L`, `H`, `V`, `C` and `Z` with absolute whole numbers; a curve counts by its ends.
    static func lines(_ element: XMLElement) throws -> [Line] {
        var lines: [Line] = []
        var at = Point(x: 0, y: 0)
        var rest = Substring(element.attributes["d"] ?? "")
        while let command = rest.popFirst() {
            if command == " " { continue }
            let text = rest.prefix { !$0.isLetter }
            rest = rest.dropFirst(text.count)
            let numbers = text.split(separator: " ").compactMap { Int($0) }
            let next: Point
            switch (command, numbers.count) {
            case ("M", 2), ("L", 2): next = Point(x: numbers[0], y: numbers[1])
            case ("H", 1): next = Point(x: numbers[0], y: at.y)
            case ("V", 1): next = Point(x: at.x, y: numbers[0])
            case ("C", 6):
                next = Point(x: numbers[4], y: numbers[5])
                // Both handles stand between the ends, so the curve does too.
                guard numbers[0] == at.x, numbers[2] == next.x, numbers[1] == numbers[3],
                    (min(at.y, next.y)...max(at.y, next.y)).contains(numbers[1])
                else { throw Broken(reason: "a curve leaves its rows") }
            case ("Z", 0): continue
            default: throw Broken(reason: "path: \(command)\(text)")
            }
            if command != "M" { lines.append(Line(start: at, end: next)) }
            at = next
        }
        return lines
    }
}

/// An element of an XML document.
final class XMLElement {
    let name: String
    let attributes: [String: String]
    fileprivate(set) var children: [XMLElement] = []
    fileprivate(set) var text = ""

    fileprivate init(name: String, attributes: [String: String]) {
        self.name = name
        self.attributes = attributes
    }

    /// Reads a document with libxml2, which refuses one that isn't well-formed.
    static func parse(_ text: String) throws -> XMLElement {
        let reader = Reader()
        let parser = XMLParser(data: Data(text.utf8))
        parser.delegate = reader
        guard parser.parse(), let root = reader.root else {
            throw SVGPicture.Broken(
                reason: "line \(parser.lineNumber), column \(parser.columnNumber): not well-formed XML")
        }
        return root
    }

    /// The element and all below it.
    var all: [XMLElement] { [self] + children.flatMap(\.all) }

    private final class Reader: NSObject, XMLParserDelegate {
        var root: XMLElement?
        private var open: [XMLElement] = []

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes: [String: String]
        ) {
            let element = XMLElement(name: name, attributes: attributes)
            if let parent = open.last { parent.children.append(element) } else { root = element }
            open.append(element)
        }

        func parser(
            _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
        ) {
            open.removeLast()
        }

        func parser(_ parser: XMLParser, foundCharacters text: String) { open.last?.text += text }
    }
}
