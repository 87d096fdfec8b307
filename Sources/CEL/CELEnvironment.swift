/// What an expression is compiled against.
public struct CELEnvironment: Sendable {
    /// The variables that there are.
    ///
    /// A name may be qualified by dots: the longest name that fits is taken.
    public var variables: [String: CELType]
    /// Where named time zones come from; without it a getter knows `UTC` and offsets such as `+02:00` only.
    public var timeZones: (any CELTimeZones)?
    /// The longest source that is compiled, in bytes.
    public var maximumSourceBytes: Int

    public init(
        variables: [String: CELType] = [:],
        timeZones: (any CELTimeZones)? = nil,
        maximumSourceBytes: Int = 64 << 10
    ) {
        self.variables = variables
        self.timeZones = timeZones
        self.maximumSourceBytes = maximumSourceBytes
    }
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
