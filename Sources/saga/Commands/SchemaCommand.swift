import ArgumentParser
import SagaCore

/// `saga schema`: prints the JSON Schema of definition files.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print the JSON Schema (2020-12) of definition files.",
        discussion: """
            Editors complete and check a definition that says "$schema": "./saga.schema.json" when the file is beside \
            it: saga schema > sagas/saga.schema.json
            """
    )

    func run() { Output.raw(DefinitionSchema.text) }
}
