import JSON
import JSONSchema

/// What a definition says of its sagas' input: a JSON Schema (2020-12), compiled.
public struct InputSchema: Sendable {
    /// The schema as the definition has it.
    public let json: JSON
    private let schema: JSONSchema

    /// - Returns: nil for what this program can't enforce; a definition that says so is refused when it is validated.
    public init?(_ json: JSON) {
        guard let schema = JSONSchema.compile(json).schema else { return nil }
        self.init(json, schema)
    }

    init(_ json: JSON, _ schema: JSONSchema) {
        self.json = json
        self.schema = schema
    }

    /// All that is wrong with an input, each with its place: `/items/0/quantity must be at least 1`; empty when it fits.
    public func faults(of input: RawJSON) -> [String] {
        do throws(JSONError) {
            return schema.violations(of: try input.parsed()).map { violation in
                let place = violation.pointer.tokens.isEmpty ? "the input" : violation.pointer.description
                return "\(place) \(violation.message)"
            }
        } catch {
            return ["the input isn't JSON: \(error.message)"]
        }
    }
}
