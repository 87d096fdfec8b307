import JSON
import JSONSchema

/// What a definition says of its sagas' input: a JSON Schema (2020-12), compiled.
public struct InputSchema: Sendable {
    /// The schema as the definition has it.
    public let json: JSON
    private let schema: JSONSchema

    /// The schema of a registered definition, perhaps by an older program that didn't check it.
    ///
    /// One with unknown keywords or formats is then taken as the draft has it: these say nothing, the rest is enforced.
    ///
    /// - Returns: nil for what this program can't enforce at all; a definition that says so is refused when it is
    ///   validated.
    public init?(_ json: JSON) {
        let asTheDraft = JSONSchema.Options(unknownKeywords: .annotations, assertsFormat: false)
        guard let schema = JSONSchema.compile(json).schema ?? JSONSchema.compile(json, options: asTheDraft).schema
        else { return nil }
        self.init(json, schema)
    }

    init(_ json: JSON, _ schema: JSONSchema) {
        self.json = json
        self.schema = schema
    }

    /// How much of a place is told, in characters: names in an input may be as long as the input itself.
    private static let longestPlace = 200

    /// The most that `faults` gives; the last then says that there are more.
    public static let mostFaults = JSONSchema.Limits().violations

    /// All that is wrong with an input, each with its place: `/items/0/quantity must be at least 1`; empty when it fits.
    ///
    /// There are at most `mostFaults`, a few hundred characters each; a check that takes too long is a fault, too.
    public func faults(of input: RawJSON) -> [String] {
        do throws(JSONError) {
            return schema.violations(of: try input.parsed()).map { violation in
                "\(InputSchema.place(violation.pointer)) \(violation.message)"
            }
        } catch {
            return ["the input isn't JSON: \(error.message)"]
        }
    }

    private static func place(_ pointer: JSONPointer) -> String {
        guard !pointer.tokens.isEmpty else { return "the input" }
        let text = pointer.description
        // A long place is cut in the middle: both ends say where to look.
        guard text.utf8.count > longestPlace else { return text }
        let scalars = text.unicodeScalars
        guard scalars.count > longestPlace else { return text }
        return String(scalars.prefix(longestPlace / 2)) + "…" + String(scalars.suffix(longestPlace / 2))
    }
}
