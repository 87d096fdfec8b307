import ArgumentParser
import JSON
import PostgresClient
import SagaCore
import SagaDatabase
import SagaPostgres

/// `saga apply PATH…`: validates and registers definitions, all or none.
struct ApplyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Validate definition files and register them.",
        discussion: """
            Prints NAME DIGEST and what became of it: created, unchanged, or reactivated for a known version that \
            starts take again from now on. Sagas under way keep the version they started with. If any file has an \
            error nothing is registered.
            """
    )

    @Argument(help: ArgumentHelp("Definition files, or folders of them.", valueName: "path"))
    var paths: [String]
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
        let files = try DefinitionFiles.read(paths)
        let checked = DefinitionSet.check(files)
        let findings = FindingsOutput(fileCount: files.count, findings: checked.findings)
        if findings.hasErrors {
            if format.isJSON { findings.printJSON() } else { findings.printText() }
            throw ExitCode(ExitStatus.refused)
        }
        findings.printText()
        let definitions = checked.definitions.map { (definition: $0.1, document: $0.2) }
        let changes = try await database.withDatabase { pool in
            let registry = DefinitionRegistry(pool: pool)
            let applied = try await registry.apply(definitions, activate: true)
            for service in applied.changedServices {
                Output.error(
                    "warning: service \(service.name) at \(service.url) had other limits or another circuit breaker; "
                        .sanitized + "those applied last hold for every definition that calls it"
                )
            }
            return applied.changes
        }
        show(zip(definitions.map(\.definition), changes).map { ($0, $1) })
    }

    private func show(_ applied: [(definition: Definition, change: DefinitionRegistry.Change)]) {
        guard format.isJSON else {
            for (definition, change) in applied {
                Output.line("\(definition.name) \(definition.digest.version) \(change.rawValue)")
            }
            return
        }
        var writer = JSONWriter()
        writer.beginArray()
        for (definition, change) in applied {
            writer.beginObject()
            writer.field("saga", definition.name)
            writer.field("version", definition.digest.version)
            writer.field("result", change.rawValue)
            writer.endObject()
        }
        writer.endArray()
        Output.json(writer.finished())
    }
}
