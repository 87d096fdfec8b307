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
            let known = try await registry.documents().compactMap {
                DefinitionParser.parse($0, checks: .stored).definition
            }
            let changes = try await registry.apply(definitions, activate: true)
            ServiceChanges.warn(of: definitions.map(\.definition), known: known)
            return changes
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

/// A service is one per name and URL in a database, so its settings in one definition change those of all others.
private enum ServiceChanges {
    static func warn(of applied: [Definition], known: [Definition]) {
        var warned: Set<String> = []
        for definition in applied {
            for service in definition.services {
                let before = known.first { other in
                    other.digest != definition.digest
                        && other.services.contains { $0.isSame(as: service) && !$0.hasSameSettings(as: service) }
                }
                guard let before, warned.insert("\(service.name) \(service.url)").inserted else { continue }
                Output.error(
                    "warning: service \(service.name) at \(service.url) has other settings than in \(before.name) "
                        + "\(before.digest.version); those applied last hold for all".sanitized
                )
            }
        }
    }
}

extension Service {
    fileprivate func isSame(as other: Service) -> Bool { name == other.name && url == other.url }

    fileprivate func hasSameSettings(as other: Service) -> Bool {
        maxConcurrent == other.maxConcurrent && rateLimit == other.rateLimit && circuitBreaker == other.circuitBreaker
    }
}
