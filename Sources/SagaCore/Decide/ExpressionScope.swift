import CEL
import JSON

/// What expressions see: `input`, `saga`, `steps`, and on the way back `failure`.
struct ExpressionScope {
    let activation: CELActivation

    /// `input` is the operation's own version of it; `output` sees the newest.
    ///
    /// - Parameter operation: whose expressions are evaluated; nil for the saga's `output`.
    init(state: SagaState, definition: Definition, operation: OperationReference?) {
        var variables: [String: CELValue] = [
            "input": .object(PayloadVariable(operation.map(state.input) ?? state.newestInput)),
            "saga": .object(SagaVariable(id: state.id, key: state.key, name: definition.name)),
            "steps": .object(
                StepsVariable(state: state, definition: definition, isGoingBack: operation?.side == .compensation)),
        ]
        if operation?.side == .compensation || operation == nil {
            variables["failure"] = FailureVariable.value(of: state.turnedBackBy, in: definition)
        }
        activation = CELActivation(variables)
    }
}
