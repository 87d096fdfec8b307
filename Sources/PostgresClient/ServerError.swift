import CLibpq

/// The fields of an error or notice (`PG_DIAG_…` in `postgres_ext.h`, character macros that Swift can't import).
enum DiagnosticField: Unicode.Scalar {
    case severity = "V"
    case sqlState = "C"
    case message = "M"
    case detail = "D"
    case hint = "H"
    case schema = "s"
    case table = "t"
    case constraint = "n"

    /// The field's text; nil when the server didn't send it.
    func read(from result: OpaquePointer) -> String? {
        PQresultErrorField(result, Int32(rawValue.value)).map { String(cString: $0) }
    }
}

extension PostgresError {
    /// Reads the error that the server, or libpq in its stead, put into a result.
    ///
    /// An error without SQLSTATE is libpq's own: the connection is gone or the protocol broken.
    init(_ result: OpaquePointer) {
        func field(_ field: DiagnosticField) -> String? { field.read(from: result) }
        let message =
            field(.message)
            ?? PQresultErrorMessage(result).map { String(cString: $0) }
            ?? "no message"
        let state = field(.sqlState)
        self.init(state.map { .server(sqlState: $0) } ?? .connectionLost, message.onOneLine)
        detail = field(.detail)
        hint = field(.hint)
        constraint = field(.constraint)
        schema = field(.schema)
        table = field(.table)
        isFatal = field(.severity).map { $0 == "FATAL" || $0 == "PANIC" } ?? false
    }
}
