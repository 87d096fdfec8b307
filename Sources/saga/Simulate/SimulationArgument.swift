import ArgumentParser
import JSON
import SagaCore
import SagaSimulation

/// One thing that a person wants to happen to a step: `STEP`, `STEP:compensation`, `STEP@2`, `STEP=VALUE@2`.
struct SimulationArgument {
    let target: SimulationScript.Target
    let attempt: Int?
    let reply: SimulationScript.Reply?
    let delay: TimeSpan?

    /// Reads `STEP=ERROR[@N]`.
    static func failing(_ text: String) throws -> SimulationArgument {
        let parts = try Parts(text, option: "--fail", value: "ERROR")
        let isName = parts.value.wholeMatch(of: #/[A-Za-z0-9._:-]{1,128}/#) != nil
        guard isName else {
            throw ValidationError("--fail \(text): an error's name is 1 to 128 letters, digits, and . _ : -")
        }
        return SimulationArgument(
            target: parts.target, attempt: parts.attempt, reply: .init(failingWith: parts.value), delay: nil)
    }

    /// Reads `STEP[@N]`.
    static func losing(_ text: String) throws -> SimulationArgument {
        let parts = try Parts(text, option: "--lose", value: nil)
        return SimulationArgument(target: parts.target, attempt: parts.attempt, reply: .lost, delay: nil)
    }

    /// Reads `STEP=TIME[@N]`.
    static func delaying(_ text: String) throws -> SimulationArgument {
        let parts = try Parts(text, option: "--delay", value: "TIME")
        return SimulationArgument(
            target: parts.target, attempt: parts.attempt, reply: nil, delay: try span(parts.value))
    }

    /// Reads `STEP=JSON`.
    static func output(_ text: String) throws -> (step: String, output: RawJSON) {
        guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
            throw ValidationError("--output \(text): write STEP=JSON")
        }
        let step = String(text[..<equals])
        let json = String(text[text.index(after: equals)...])
        return (step, try JSONArgument.read(json, what: "the output of \(step)"))
    }

    static func span(_ text: String) throws -> TimeSpan {
        do throws(DurationError) { return try TimeSpan(parsing: text) } catch {
            throw ValidationError(error.description)
        }
    }

    private struct Parts {
        let target: SimulationScript.Target
        let value: String
        let attempt: Int?

        /// - Parameter value: what stands behind `=`, for messages; nil when nothing does.
        init(_ text: String, option: String, value: String?) throws {
            let wanted = value.map { "STEP=\($0)[@N]" } ?? "STEP[@N]"
            let mistake = ValidationError("\(option) \(text): write \(wanted), with N from 1")
            var rest = text[...]
            attempt = try rest.lastIndex(of: "@").map { sign in
                guard let number = Int(rest[rest.index(after: sign)...]), number >= 1 else { throw mistake }
                rest = rest[..<sign]
                return number
            }
            let equals = rest.firstIndex(of: "=")
            guard (equals != nil) == (value != nil) else { throw mistake }
            self.value = equals.map { String(rest[rest.index(after: $0)...]) } ?? ""
            let name = rest[..<(equals ?? rest.endIndex)].split(separator: ":", omittingEmptySubsequences: false)
            guard let step = name.first, !step.isEmpty, name.count <= 2,
                let side = name.count == 1 ? .action : OperationSide(rawValue: String(name[1]))
            else { throw mistake }
            target = SimulationScript.Target(String(step), side)
        }
    }
}

/// The steps of a definition, as arguments name them.
struct SimulatedSteps {
    private let definition: Definition

    init(_ definition: Definition) {
        self.definition = definition
    }

    /// - Throws: `CommandFailure` for a step that isn't there or makes no call.
    func rule(_ argument: SimulationArgument) throws(CommandFailure) -> SimulationScript.Rule {
        try check(argument.target)
        return SimulationScript.Rule(
            argument.target, attempt: argument.attempt, reply: argument.reply, delay: argument.delay)
    }

    /// - Throws: as `rule`.
    func check(_ target: SimulationScript.Target) throws(CommandFailure) {
        guard let index = definition.index(ofStep: target.step) else {
            let hint = NameHint.didYouMean(target.step, among: definition.steps.map(\.name)).map { "; \($0)" } ?? ""
            throw CommandFailure("\(definition.name) has no step \"\(target.step)\"\(hint)")
        }
        let what = target.side == .action ? "an action" : "a compensation"
        switch definition.operation(OperationReference(step: index, side: target.side))?.kind {
        case .http: break
        case .pass, .noop: throw CommandFailure("\(target) makes no call: nothing can happen to it")
        case nil: throw CommandFailure("the step \(target.step) has no \(what.split(separator: " ")[1])")
        }
    }
}
