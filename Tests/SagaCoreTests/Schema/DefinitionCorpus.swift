import Foundation
import JSON
import SagaCore

/// The definition files of `Resources/definitions`, each about one thing, named by it.
///
/// `good`: no findings. `shape`: refused by the schema and by the validator. `meaning`: well-formed, refused by the
/// validator only. `input`: the JSON Schema under `input` is refused by both. `expected.json` in the latter three has
/// the code of each file's first error.
enum DefinitionCorpus {
    enum Folder: String, CaseIterable { case good, shape, meaning, input }

    static let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "../Resources/definitions").standardized

    /// The names of a folder's files, sorted.
    static func names(_ folder: Folder) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: url.appending(path: folder.rawValue).path)
            .filter { $0.hasSuffix(".json") && $0 != "expected.json" }.sorted()
    }

    static func bytes(_ folder: Folder, _ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: url.appending(path: "\(folder.rawValue)/\(name)")))
    }
}
