/// The exit codes that the programs share.
public enum ExitStatus {
    /// Done.
    public static let done: Int32 = 0
    /// What was asked for is wrong or not there; one line on standard error says what.
    public static let refused: Int32 = 1
    /// Wrong usage, as `EX_USAGE` of sysexits.h.
    public static let usage: Int32 = 64
    /// The database can't be reached or used now, as `EX_UNAVAILABLE` of sysexits.h.
    public static let unavailable: Int32 = 69
    /// Ended by Ctrl-C, as a shell reports it.
    public static let interrupted: Int32 = 130
}
