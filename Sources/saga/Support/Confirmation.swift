import Glibc
import SagaDatabase

/// Asks a person before many sagas are changed.
enum Confirmation {
    /// Whether there is somebody to ask.
    static var isPossible: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 }

    /// Returns when the answer is yes.
    ///
    /// - Parameter what: what there is to decide on, such as "12 sagas match".
    /// - Throws: `CommandFailure` for any other answer, and where nobody can be asked.
    static func require(_ what: String) throws(CommandFailure) {
        guard isPossible else {
            throw CommandFailure("\(what), and without a terminal nobody can be asked: give --yes to go on")
        }
        Output.rawError("Go on? [y/N] ")
        guard isYes(readLine() ?? "") else { throw CommandFailure("nothing was done") }
    }

    static func isYes(_ answer: String) -> Bool {
        ["y", "yes"].contains(answer.lowercased().filter { !$0.isWhitespace })
    }
}
