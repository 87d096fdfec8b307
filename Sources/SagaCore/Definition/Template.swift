import CEL
import JSON

/// A value of a definition with its `${ … }` expressions compiled.
public indirect enum Template: Sendable {
    /// Has no expression in it.
    case constant(JSON)
    /// A string that is wholly one `${ … }`: becomes its result with its type.
    case expression(CELProgram)
    /// A string with `${ … }` in it: each is replaced by its result as text.
    case text([TextPart])
    case array([Template])
    case object([(key: String, value: Template)])

    public enum TextPart: Sendable {
        case literal(String)
        case expression(CELProgram)
    }
}
