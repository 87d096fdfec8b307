import SagaCore

/// An input that breaks its definition's schema.
enum InputFaults {
    /// Tells every fault, on a line of its own if there are several.
    ///
    /// - Throws: `CommandFailure` unless there are none.
    static func refuse(_ faults: [String], schemaOf name: String) throws(CommandFailure) {
        guard let first = faults.first else { return }
        if faults.count == 1 { throw CommandFailure("the input breaks the schema of \(name): \(first)") }
        for fault in faults { Output.error(fault.sanitized) }
        let count = faults.count < InputSchema.mostFaults ? "\(faults.count)" : "many"
        throw CommandFailure("the input breaks the schema of \(name) in \(count) places")
    }
}
