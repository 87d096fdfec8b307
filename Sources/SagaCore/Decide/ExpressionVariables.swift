import CEL
import JSON
import Synchronization

/// A payload that is parsed when an expression first reads it, once for all expressions of a decision.
final class PayloadVariable: CELObject {
    private let payload: RawJSON
    private let parsed = Mutex<JSON?>(nil)

    init(_ payload: RawJSON) {
        self.payload = payload
    }

    var memberNames: [String] { [] }

    func member(_ name: String) throws(CELError) -> CELValue? { nil }

    func value() throws(CELError) -> CELValue? {
        if let json = parsed.withLock({ $0 }) { return .json(json) }
        do throws(JSONError) {
            let json = try payload.parsed()
            parsed.withLock { $0 = json }
            return .json(json)
        } catch {
            throw CELError(offset: 0, message: "the payload isn't JSON: \(error.message)", hint: nil)
        }
    }
}

/// An output that isn't there: null, and so is whatever is looked for below it.
///
/// On the way back an undo may have to do without what its action would have answered; the participant then has
/// `Saga-Compensates` to go by.
struct MissingOutput: CELObject {
    var memberNames: [String] { [] }

    var isNull: Bool { true }

    func member(_ name: String) throws(CELError) -> CELValue? { .object(self) }
}

/// `saga.id`, `.key`, `.name`.
struct SagaVariable: CELObject {
    let id: SagaID
    let key: String?
    let name: String

    var memberNames: [String] { ["id", "key", "name"] }

    func member(_ name: String) throws(CELError) -> CELValue? {
        switch name {
        case "id": .string(id.description)
        case "key": key.map(CELValue.string) ?? .null
        case "name": .string(self.name)
        default: nil
        }
    }
}

/// `steps.NAME`, each with `output`, `status` and `error`.
final class StepsVariable: CELObject {
    private let state: SagaState
    private let definition: Definition
    private let isGoingBack: Bool
    private let outputs = Mutex<[Int: PayloadVariable]>([:])

    init(state: SagaState, definition: Definition, isGoingBack: Bool) {
        self.state = state
        self.definition = definition
        self.isGoingBack = isGoingBack
    }

    var memberNames: [String] { definition.steps.map(\.name) }

    func member(_ name: String) throws(CELError) -> CELValue? {
        definition.index(ofStep: name).map { .object(StepVariable(steps: self, index: $0)) }
    }

    fileprivate func output(of index: Int) -> CELValue {
        guard let output = state.steps[index].output else { return isGoingBack ? .object(MissingOutput()) : .null }
        return .object(
            outputs.withLock { outputs in
                if let known = outputs[index] { return known }
                let variable = PayloadVariable(output)
                outputs[index] = variable
                return variable
            })
    }

    fileprivate func status(of index: Int) -> CELValue { .string(state.status(ofStep: index).rawValue) }

    fileprivate func error(of index: Int) -> CELValue {
        state.steps[index].action.error.map(CELValue.string) ?? .null
    }
}

private struct StepVariable: CELObject {
    let steps: StepsVariable
    let index: Int

    var memberNames: [String] { ["output", "status", "error"] }

    func member(_ name: String) throws(CELError) -> CELValue? {
        switch name {
        case "output": steps.output(of: index)
        case "status": steps.status(of: index)
        case "error": steps.error(of: index)
        default: nil
        }
    }
}

/// `failure.step`, `.error`, `.message`: what turned the saga round; null while it goes forward.
struct FailureVariable: CELObject {
    let failure: SagaFailure
    let stepName: String?

    static func value(of failure: SagaFailure?, in definition: Definition) -> CELValue {
        guard let failure else { return .null }
        let name = failure.step.flatMap { definition.steps.indices.contains($0) ? definition.steps[$0].name : nil }
        return .object(FailureVariable(failure: failure, stepName: name))
    }

    var memberNames: [String] { ["step", "error", "message"] }

    func member(_ name: String) throws(CELError) -> CELValue? {
        switch name {
        case "step": stepName.map(CELValue.string) ?? .null
        case "error": .string(failure.error)
        case "message": .string(failure.message)
        default: nil
        }
    }
}
