import JSON

/// A compiled JSON Schema of draft 2020-12 (https://json-schema.org/draft/2020-12).
///
/// Nothing is ever fetched: a `$ref` leads into the schema itself or to the built-in metaschema. Numbers are exact,
/// whatever their size. Patterns run on RE2. No schema and no instance takes more than the limits allow.
public struct JSONSchema: Sendable {
    /// How a schema is read and what its validation may take.
    public struct Options: Sendable {
        /// What becomes of a keyword that the draft doesn't have.
        public enum UnknownKeywords: Sendable {
            /// It is a fault; only names that begin with `x-` are free.
            case refused
            /// It is ignored, as the draft has it.
            case annotations
        }

        public var unknownKeywords = UnknownKeywords.refused
        /// Whether `format` is checked; then a format that can't be is a fault.
        public var assertsFormat = true
        public var limits = Limits()
        /// Further schemas that a `$ref` may lead to, by their URIs: for the tests.
        var documents: [(uri: String, schema: JSON)] = []

        public init() {}

        public init(unknownKeywords: UnknownKeywords = .refused, assertsFormat: Bool = true, limits: Limits = .init()) {
            self.unknownKeywords = unknownKeywords
            self.assertsFormat = assertsFormat
            self.limits = limits
        }
    }

    /// What one validation may take at most.
    public struct Limits: Sendable, Hashable {
        /// How many violations are told.
        public var violations: Int
        /// How many applications of a keyword, members and items looked at, and comparable pieces of work there may be;
        /// one takes 10 to 50 ns.
        ///
        /// An instance that breaks its schema is gone through twice, so a million take 0.1 s at most.
        public var steps: Int
        /// How deep schemas may be applied within schemas; above 1,024 counts as 1,024.
        public var depth: Int

        public init(violations: Int = 100, steps: Int = 1_000_000, depth: Int = 640) {
            self.violations = violations
            self.steps = steps
            self.depth = depth
        }
    }

    /// The names of the formats that can be asserted.
    public static let formats = Format.allCases.map(\.rawValue)

    let program: SchemaProgram

    /// Compiles a schema, and checks it.
    ///
    /// The result is either a schema without a fault, or nil and every fault that was found.
    public static func compile(_ schema: JSON, options: Options = .init()) -> (
        schema: JSONSchema?, faults: [SchemaFault]
    ) {
        var library = SchemaLibrary(schema, options: options)
        guard library.faults.isEmpty else { return (nil, library.faults) }
        var compiler = SchemaCompiler(library)
        let program = compiler.program()
        library = compiler.library
        guard library.faults.isEmpty else { return (nil, library.faults) }
        return (JSONSchema(program: program), [])
    }

    /// What of an instance breaks the schema, in the order of the schema's keywords; nothing when it is valid.
    ///
    /// At most `limits.violations` are told, the last then being one of the keyword `limit`. The same keyword says that
    /// the check was given up, as too deep or too long.
    public func violations(of instance: JSON) -> [SchemaViolation] {
        var check = Validation(program, reporting: false)
        if check.run(instance) { return [] }
        if let stop = check.stop { return [stop] }
        var report = Validation(program, reporting: true)
        _ = report.run(instance)
        return report.violations + (report.stop.map { [$0] } ?? [])
    }
}

/// What is wrong with a schema.
public struct SchemaFault: Sendable, Hashable {
    /// Where in the schema.
    public let pointer: JSONPointer
    /// Whether the name of the last member is at fault rather than its value.
    public let isAboutName: Bool
    /// What is wrong, as a clause without capital and full stop.
    public let message: String
    /// What would be right, when that can be told.
    public let hint: String?
}

/// What in an instance breaks its schema.
public struct SchemaViolation: Sendable, Hashable {
    /// Where in the instance.
    public let pointer: JSONPointer
    /// The keyword that is broken, or `limit`.
    public let keyword: String
    /// Where in the schema the keyword stands, all references followed.
    public let schemaPointer: JSONPointer
    /// What is wrong, as a clause whose subject is the value at the place: "must be at least 1".
    public let message: String
}
