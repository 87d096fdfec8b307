import ArgumentParser
import JSON
import SagaCore
import SagaDatabase
import SagaSimulation

/// What `saga test` is to run, by the paths on the command line.
struct TestFiles {
    /// Definitions, or folders of them.
    private(set) var definitions: [String] = []
    /// Files of scenarios, each once.
    private(set) var scenarios: [String] = []

    /// Sorts paths.
    ///
    /// A `*.test.json` is a file of scenarios, a folder means its definitions, and the scenarios in it and in its
    /// `tests`; any other path is a definition. No path at all means `sagas`.
    /// - Throws: `CommandFailure` for a folder that can't be read.
    init(_ paths: [String]) throws(CommandFailure) {
        for path in paths.isEmpty ? ["sagas"] : paths {
            guard DefinitionFiles.isFolder(path) else {
                if paths.isEmpty {
                    throw CommandFailure("no path is given, and there is no folder sagas", status: ExitStatus.usage)
                }
                if path.hasSuffix(Self.suffix) { add([path]) } else { definitions.append(path) }
                continue
            }
            let folder = path.hasSuffix("/") ? path : path + "/"
            let names = try DefinitionFiles.names(in: path)
            var found = names.filter { $0.hasSuffix(Self.suffix) }.map { folder + $0 }
            if DefinitionFiles.isFolder(folder + "tests") {
                found += try DefinitionFiles.names(in: folder + "tests").filter { $0.hasSuffix(Self.suffix) }
                    .map { "\(folder)tests/\($0)" }
            }
            add(found)
            let hasDefinitions = names.contains {
                $0.hasSuffix(".json") && !$0.hasSuffix(Self.suffix) && !$0.hasSuffix(".schema.json")
            }
            // Of a folder with nothing at all the reader of definitions complains.
            if hasDefinitions || found.isEmpty { definitions.append(path) }
        }
    }

    static let suffix = ".test.json"

    private mutating func add(_ files: [String]) {
        scenarios += files.filter { !scenarios.contains($0) }
    }
}

/// A file of scenarios and where it lies.
struct ScenarioReading {
    let path: String
    let file: ScenarioFile
    /// Of the definition that it names.
    let definitionFindings: [Finding]

    /// - Throws: `CommandFailure` if the file of scenarios can't be read.
    init(_ path: String) throws(CommandFailure) {
        let bytes = try FileBytes.read(path)
        var findings: [Finding] = []
        file = ScenarioFile.parse(bytes, file: path) { written in
            let place = Self.definition(written, of: path)
            let bytes: [UInt8]
            do throws(CommandFailure) { bytes = try FileBytes.read(place) } catch {
                return .unreadable(error.message)
            }
            let parsed = DefinitionParser.parse(bytes, file: place)
            findings = parsed.findings.filter { $0.severity == .error }
            return parsed.definition.map { .found($0) } ?? .faulty
        }
        self.path = path
        definitionFindings = findings
    }

    /// Where the definition lies: beside the scenarios as they say, else `../NAME.json` or `NAME.json`.
    private static func definition(_ written: String?, of path: String) -> String {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[...$0]) } ?? ""
        if let written { return written.hasPrefix("/") ? written : resolved(folder + written) }
        let name = path[(slash.map { path.index(after: $0) } ?? path.startIndex)...].dropLast(TestFiles.suffix.count)
        let above = resolved("\(folder)../\(name).json")
        let beside = "\(folder)\(name).json"
        return !DefinitionFiles.isFile(above) && DefinitionFiles.isFile(beside) ? beside : above
    }

    /// `a/b/../c` as `a/c`, for people; a path that begins with `..` stays so.
    private static func resolved(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/", omittingEmptySubsequences: false) {
            if part == "..", let last = parts.last, !last.isEmpty, last != "..", last != "." {
                parts.removeLast()
            } else if part != "." || parts.isEmpty {
                parts.append(part)
            }
        }
        return parts.joined(separator: "/")
    }
}

extension ScenarioReading {
    /// The file of scenarios that belongs to a definition: `tests/NAME.test.json`, or `NAME.test.json` beside it.
    ///
    /// - Returns: nil if there is none.
    /// - Throws: as `init`.
    static func belonging(to definition: String) throws(CommandFailure) -> ScenarioReading? {
        guard definition.hasSuffix(".json") else { return nil }
        let slash = definition.lastIndex(of: "/")
        let folder = slash.map { String(definition[...$0]) } ?? ""
        let name = definition[(slash.map { definition.index(after: $0) } ?? definition.startIndex)...].dropLast(5)
        let places = ["\(folder)tests/\(name)\(TestFiles.suffix)", "\(folder)\(name)\(TestFiles.suffix)"]
        guard let path = places.first(where: DefinitionFiles.isFile) else { return nil }
        return try ScenarioReading(path)
    }
}

/// The scenarios that `saga test` is to run.
struct ScenarioRuns {
    private var files: [(path: String, scenarios: [Scenario])] = []

    /// Reads the files; what is wrong in them goes to standard error.
    ///
    /// - Parameter filter: what the name of a scenario has in it; nil means all.
    /// - Throws: `ExitCode` if anything is wrong, `CommandFailure` if nothing has such a name.
    init(_ paths: [String], filter: String?) throws {
        let readings = try paths.map { path throws(CommandFailure) in try ScenarioReading(path) }
        let findings = FindingsOutput(
            fileCount: readings.count, findings: readings.flatMap { $0.definitionFindings + $0.file.findings })
        findings.printText()
        if findings.hasErrors { throw ExitCode(ExitStatus.refused) }
        files = readings.map { reading in
            (reading.path, reading.file.scenarios.filter { filter.map($0.name.contains) ?? true })
        }
        if let filter, files.allSatisfy(\.scenarios.isEmpty) {
            throw CommandFailure("there is no scenario with \"\(filter)\" in its name")
        }
    }

    /// Runs them; files without any to run are left out.
    func play() throws(CommandFailure) -> [ScenarioReport] {
        var reports: [ScenarioReport] = []
        for (path, scenarios) in files where !scenarios.isEmpty {
            var outcomes: [ScenarioOutcome] = []
            for scenario in scenarios {
                do throws(SimulationFault) { outcomes.append(try scenario.play()) } catch {
                    throw CommandFailure("\(path): \(scenario.name): \(error)")
                }
            }
            reports.append(ScenarioReport(path: path, outcomes: outcomes))
        }
        return reports
    }
}
