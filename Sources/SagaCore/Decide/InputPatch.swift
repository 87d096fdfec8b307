import JSON

extension SagaState {
    /// The longest input that a start takes, in bytes; a patch makes no longer one.
    static let longestInput = 1_048_576

    /// What a retry with a changed input comes to.
    ///
    /// A participant must refuse a known key with another body, so what is taken up again goes out under a new key:
    /// only where no call under the old one can have had an effect.
    func retry(_ patch: RawJSON, _ act: Event.Act, _ definition: Definition) -> CommandResult {
        guard status == .stuck else {
            return .refused("only a stuck saga can be retried, this one is \(status.name)")
        }
        for operation in operationsToRetry where self[operation].outcome != .failed {
            guard definition.steps.indices.contains(operation.step) else { continue }
            let name = definition.steps[operation.step].name
            let (what, way) =
                operation.side == .action
                ? ("step \(name)", "find out, and state it: saga resolve \(id) \(name) --done or --undone")
                : (
                    "the compensation of \(name)",
                    "find out, and state it: saga resolve \(id) \(name) --undone when it was undone, else --done"
                )
            return .refused(
                "\(what) may have happened as it was called, so it can't be called otherwise; \(way)")
        }
        guard let input = patchedInput(patch) else { return .refused("the patch isn't JSON") }
        if let fault = fault(ofPatched: input, definition) { return .refused(fault) }
        return .event(.retried(act, patch: patch))
    }

    private func fault(ofPatched input: RawJSON, _ definition: Definition) -> String? {
        guard input.bytes.count <= Self.longestInput else {
            return "the patched input has \(input.bytes.count) bytes, more than \(Self.longestInput)"
        }
        guard let schema = definition.inputSchema else {
            let isObject = input.bytes.first == UInt8(ascii: "{")
            return isObject ? nil : "the patched input isn't an object: a merge patch is an object of what changes"
        }
        let faults = schema.faults(of: input)
        if faults.isEmpty { return nil }
        let count = faults.count < InputSchema.mostFaults ? "\(faults.count)" : "many"
        let places = faults.count == 1 ? "" : " in \(count) places"
        return "the patched input breaks the schema of \(definition.name)\(places): \(faults.joined(separator: "; "))"
    }
}
