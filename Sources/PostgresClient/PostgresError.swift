/// What went wrong with a call to PostgreSQL, and what the caller may conclude from it.
public struct PostgresError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The cases a caller acts on.
    public enum Kind: Hashable, Sendable {
        /// The server refused a statement and nothing of its transaction was done.
        ///
        /// The value is the SQLSTATE.
        case server(sqlState: String)
        /// No connection could be made; nothing was sent.
        ///
        /// `sqlState` holds the server's reason when it gave one.
        case connectFailed
        /// The connection ended after something was sent: what was under way may or may not have been done, its COMMIT
        /// included.
        ///
        /// Also when a timeout or a cancelled task got no answer to its cancel request.
        case connectionLost
        /// The call's timeout passed, and the call certainly had no effect of its own.
        case timeout
        /// The calling task was cancelled, and the call certainly had no effect of its own.
        case cancelled
        /// A result's column doesn't hold what was asked of it.
        case decoding
        /// The pool has been closed; nothing was sent.
        case poolClosed
        /// The request can't be put on the wire (too many parameters, a NUL in the SQL, …); nothing was sent.
        case invalidRequest
    }

    /// What happened.
    public var kind: Kind

    /// One line for people; never contains the password.
    public var message: String

    /// The SQLSTATE that the server gave: always there for `.server`, and for `.connectFailed` and `.connectionLost`
    /// when the server stated a reason.
    public var sqlState: String?

    /// The server's DETAIL.
    ///
    /// It may quote the row's values.
    public var detail: String?

    /// The server's HINT.
    public var hint: String?

    /// The constraint that was violated.
    public var constraint: String?

    /// The schema of the object the error is about.
    public var schema: String?

    /// The table the error is about.
    public var table: String?

    /// Which statement of a pipeline or transaction failed, counted from 0; nil for a single query, and when the
    /// failure came at the end (the commit, a deferred constraint).
    public var statementIndex: Int?

    /// Whether no byte of the request was sent, since no connection was free or the one there was found dead: sending
    /// it on another connection can't do it twice.
    public internal(set) var nothingWasSent = false

    /// Whether the server ended the session with this error.
    var isFatal = false

    /// Makes an error without server fields.
    public init(_ kind: Kind, _ message: String, sqlState: String? = nil) {
        self.kind = kind
        self.message = message
        if case .server(let state) = kind {
            self.sqlState = state
        } else {
            self.sqlState = sqlState
        }
    }

    /// Whether the work may have been done although the call failed: read back before doing it again.
    public var isOutcomeUnknown: Bool { kind == .connectionLost }

    /// Whether the trouble is with the connection or the server as a whole, not with the statement.
    public var isConnectionFailure: Bool { kind == .connectFailed || kind == .connectionLost }

    /// Whether nothing was done and the same work, from the start of its transaction, may well succeed later.
    ///
    /// True for these SQLSTATEs: 40001 serialization failure, 40P01 deadlock, the rest of class 40 except 40003 (whose
    /// outcome is unknown), 55P03 lock not available, 57P01 shutdown, 57P02 crash, 57P03 starting up, class 53
    /// (53300 too many connections among them) and class 08; and for connections that couldn't be made, unless the
    /// server refused who asked or what was asked for (classes 28 and 3D). Never true when the outcome is unknown.
    public var isRetryable: Bool {
        switch kind {
        case .server(let state):
            Self.isTransient(state)
        case .connectFailed:
            sqlState.map(Self.isTransient) ?? true
        case .connectionLost, .timeout, .cancelled, .decoding, .poolClosed, .invalidRequest:
            false
        }
    }

    /// Whether the server says that it, not the statement, is the reason, and may be well later: class 53, it lacks
    /// connections, memory or room on its disk; 57P01 to 57P05, it ends sessions or starts; class 58, its files can't be
    /// read or written; 25006, it takes no writes; class 08, with which a pooler says that it has lost its server.
    public var isServerUnavailable: Bool {
        guard let sqlState else { return false }
        return sqlState == "25006" || ["08", "53", "57P", "58"].contains { sqlState.hasPrefix($0) }
    }

    /// Whether the server takes no writes (SQLSTATE 25006): after a failover it may be the old primary.
    ///
    /// A connection that hears it is replaced, so that `target_session_attrs` or the host's name finds the new one.
    public var isReadOnly: Bool { sqlState == "25006" }

    /// Whether a unique or exclusion constraint was violated (23505, 23P01).
    public var isUniqueViolation: Bool { sqlState == "23505" || sqlState == "23P01" }

    /// The message with the SQLSTATE, the constraint and the statement's place, on one line, without row values.
    public var description: String {
        var notes: [String] = []
        if let sqlState { notes.append("SQLSTATE \(sqlState)") }
        if let constraint { notes.append("constraint \(constraint)") }
        if let statementIndex { notes.append("statement \(statementIndex)") }
        return notes.isEmpty ? message : "\(message) (\(notes.joined(separator: ", ")))"
    }

    private static func isTransient(_ state: String) -> Bool {
        switch state {
        case "40003": false
        case "55P03", "57P01", "57P02", "57P03": true
        default: state.hasPrefix("40") || state.hasPrefix("53") || state.hasPrefix("08")
        }
    }
}

extension String {
    /// The text on one line: every run of line breaks and the blanks around it becomes one space.
    var onOneLine: String {
        var line = ""
        var pendingBlank = false
        for scalar in unicodeScalars {
            if scalar == "\n" || scalar == "\r" || scalar == "\t" || (scalar == " " && pendingBlank) {
                pendingBlank = true
                continue
            }
            if pendingBlank, !line.isEmpty, line.unicodeScalars.last != " " { line.append(" ") }
            pendingBlank = false
            line.unicodeScalars.append(scalar)
        }
        return line
    }
}
