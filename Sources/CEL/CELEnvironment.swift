/// What an expression is compiled against.
public struct CELEnvironment: Sendable {
    /// The variables that there are.
    ///
    /// A name may be qualified by dots: the longest name that fits is taken.
    public var variables: [String: CELType]
    /// What `matches` runs on; without it `matches` is an unknown function.
    public var regex: (any CELRegex)?
    /// Where named time zones come from; without it a getter knows `UTC` and offsets such as `+02:00` only.
    public var timeZones: (any CELTimeZones)?
    /// The longest source that is compiled, in bytes.
    public var maximumSourceBytes: Int

    public init(
        variables: [String: CELType] = [:],
        regex: (any CELRegex)? = nil,
        timeZones: (any CELTimeZones)? = nil,
        maximumSourceBytes: Int = 64 << 10
    ) {
        self.variables = variables
        self.regex = regex
        self.timeZones = timeZones
        self.maximumSourceBytes = maximumSourceBytes
    }
}

/// An engine for regular expressions in RE2's syntax, which bounds time by the length of the text.
public protocol CELRegex: Sendable {
    /// Compiles a pattern. The error's description says what is wrong with it.
    func compile(_ pattern: String) throws -> any CELPattern
}

/// A compiled regular expression.
public protocol CELPattern: Sendable {
    /// Whether the pattern is found anywhere in the text.
    func isFound(in text: String) -> Bool
}

/// A database of time zones.
public protocol CELTimeZones: Sendable {
    /// How many seconds a zone (an IANA name such as `Europe/Berlin`) is ahead of UTC at a moment, given in seconds
    /// since 1970; nil for a name that it doesn't know.
    func secondsAhead(of zone: String, at unixSeconds: Int64) -> Int?
}

/// The values of an expression's variables.
public struct CELActivation: Sendable {
    private var variables: [String: CELValue]

    public init(_ variables: [String: CELValue] = [:]) { self.variables = variables }

    /// The value of a variable.
    public subscript(name: String) -> CELValue? {
        get { variables[name] }
        set { variables[name] = newValue }
    }
}
