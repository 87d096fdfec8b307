import CEL
import JSON
import SagaCore

/// Outputs for steps of which nothing else is said.
///
/// They have every field that an expression of the definition reads of them, each a text that tells where it comes
/// from, such as `charge.chargeId`.
///
/// Steps of which nothing is read below the output have none: they answer null.
public enum StandInOutputs {
    /// By the step's name.
    public static func of(_ definition: Definition) -> [String: RawJSON] {
        var fields: [String: Field] = [:]
        for program in programs(definition) {
            for reference in program.references where reference.use != .presence {
                let path = reference.path
                guard path.count > 3, path[0] == "steps", path[2] == "output" else { continue }
                fields[path[1], default: Field()].add(path[3...])
            }
        }
        return Dictionary(
            uniqueKeysWithValues: fields.map { name, field in (name, RawJSON(field.value(name))) })
    }

    private struct Field {
        private var members: [(name: String, field: Field)] = []

        mutating func add(_ path: ArraySlice<String>) {
            guard let name = path.first else { return }
            if let index = members.firstIndex(where: { $0.name == name }) {
                members[index].field.add(path.dropFirst())
            } else {
                var field = Field()
                field.add(path.dropFirst())
                members.append((name, field))
            }
        }

        func value(_ place: String) -> JSON {
            if members.isEmpty { return .string(place) }
            return .object(JSONObject(members.map { ($0.name, $0.field.value("\(place).\($0.name)")) }))
        }
    }

    private static func programs(_ definition: Definition) -> [CELProgram] {
        var found = definition.output.map(programs(in:)) ?? []
        for step in definition.steps {
            if let when = step.when { found.append(when) }
            for operation in [step.action, step.compensation].compactMap({ $0 }) {
                switch operation.kind {
                case .http(let http):
                    found += programs(in: http.path) + (http.query + http.headers).flatMap { programs(in: $0.value) }
                    if let body = http.body { found += programs(in: body) }
                case .pass(let template): found += programs(in: template)
                case .noop: break
                }
            }
        }
        return found
    }

    private static func programs(in template: Template) -> [CELProgram] {
        switch template {
        case .constant: []
        case .expression(let program): [program]
        case .text(let parts):
            parts.compactMap { if case .expression(let program) = $0 { program } else { nil } }
        case .array(let elements): elements.flatMap(programs(in:))
        case .object(let members): members.flatMap { programs(in: $0.value) }
        }
    }
}
