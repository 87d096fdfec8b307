import CEL
import JSON

extension Template {
    /// What is known of the JSON that the template becomes.
    var type: CELType {
        switch self {
        case .constant(let json): CELType(of: json)
        case .expression(let program): program.resultType.afterJSON
        case .text: .string
        case .array(let templates): .list(CELType.common(of: templates.map(\.type)))
        case .object(let members):
            .record(
                CELRecord(
                    Dictionary(members.map { ($0.key, .init($0.value.type)) }, uniquingKeysWith: { _, last in last }),
                    rest: .closed
                )
            )
        }
    }
}

extension CELType {
    fileprivate init(of json: JSON) {
        switch json {
        case .null: self = .null
        case .bool: self = .bool
        case .number: self = .number
        case .string: self = .string
        case .array(let elements): self = .list(CELType.common(of: elements.map { CELType(of: $0) }))
        case .object(let object):
            let members = object.members.map { ($0.key, CELRecord.Member(CELType(of: $0.value))) }
            self = .record(CELRecord(Dictionary(members, uniquingKeysWith: { _, last in last }), rest: .closed))
        }
    }

    fileprivate static func common(of types: [CELType]) -> CELType {
        guard let first = types.first, types.allSatisfy({ $0 == first }) else { return .dyn }
        return first
    }

    /// The type of a value once it has been written as JSON and read again.
    fileprivate var afterJSON: CELType {
        switch self {
        case .bytes, .timestamp, .duration, .type: .string
        // 2.0 may be written as 2, which is read as an int.
        case .uint, .double: .number
        case .list(let element): .list(element.afterJSON)
        case .map(_, let value): .map(.string, value.afterJSON)
        case .object: .map(.string, .dyn)
        case .dyn, .null, .bool, .int, .number, .string, .oneOf, .record: self
        }
    }
}
