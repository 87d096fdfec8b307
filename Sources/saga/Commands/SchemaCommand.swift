import ArgumentParser
import SagaCore
import SagaSimulation

/// `saga schema`: prints the JSON Schema of definition files, or of files of scenarios.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print the JSON Schema (2020-12) of definition files.",
        discussion: """
            Editors complete and check a definition that says "$schema": "./saga.schema.json" when the file is beside \
            it: saga schema > sagas/saga.schema.json

            With --tests the schema of files of scenarios, which say "$schema": "../saga-test.schema.json": \
            saga schema --tests > sagas/saga-test.schema.json
            """
    )

    @Flag(help: "The schema of files of scenarios (*.test.json).")
    var tests = false

    func run() { Output.raw(tests ? ScenarioSchema.text : DefinitionSchema.text) }
}
