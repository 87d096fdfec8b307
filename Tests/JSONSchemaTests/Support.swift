import JSON
import JSONSchema
import Testing

/// Compiles a schema that has no fault.
func compiled(_ text: String, _ options: JSONSchema.Options = .init()) throws -> JSONSchema {
    let (schema, faults) = JSONSchema.compile(try JSON.parse(text), options: options)
    #expect(faults == [])
    return try #require(schema)
}

/// The faults of a schema: `POINTER: message (hint)`, the pointer marked by `@` when the name is meant.
func faults(_ text: String, _ options: JSONSchema.Options = .init()) throws -> [String] {
    let (schema, faults) = JSONSchema.compile(try JSON.parse(text), options: options)
    #expect((schema == nil) == !faults.isEmpty)
    return faults.map { fault in
        "\(fault.isAboutName ? "@" : "")\(fault.pointer): \(fault.message)" + (fault.hint.map { " (\($0))" } ?? "")
    }
}

/// What of an instance breaks a schema: `POINTER: message [SCHEMA POINTER]`.
func violations(_ schema: String, _ instance: String, _ options: JSONSchema.Options = .init()) throws -> [String] {
    try compiled(schema, options).violations(of: JSON.parse(instance)).map {
        "\($0.pointer): \($0.message) [\($0.schemaPointer)]"
    }
}
