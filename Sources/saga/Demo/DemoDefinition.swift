import SagaCore

/// Which definition of the order saga the demo runs.
struct DemoDefinition: Sendable {
    /// Where a project keeps it, seen from the working directory.
    static let path = "sagas/order.json"

    let definition: Definition
    /// The text as it was written.
    let document: [UInt8]
    /// Why it isn't the file that is there; nil when there is nothing to say.
    let note: String?

    /// Takes the working directory's `sagas/order.json` if it is an order saga for the demo's services, so that changes
    /// to it can be tried, else the program's own.
    ///
    /// - Throws: `CommandFailure` when the program's own can't be used.
    static func choose() throws(CommandFailure) -> DemoDefinition {
        let own = Array(DemoOrderFile.text.utf8)
        guard let built = DefinitionParser.parse(own).definition else {
            throw CommandFailure("the order saga inside this program isn't valid")
        }
        let carried = DemoDefinition(definition: built, document: own, note: nil)
        guard DefinitionFiles.isFile(path), let bytes = try? FileBytes.read(path) else { return carried }
        let findings = DefinitionSet.check([(path, bytes)])
        guard let found = findings.definitions.first?.definition,
            !findings.findings.contains(where: { $0.severity == .error }), found.isServed(like: built)
        else {
            let note = "\(path) isn't an order saga for the demo's services; the program's own is run"
            return DemoDefinition(definition: built, document: own, note: note)
        }
        return DemoDefinition(definition: found, document: bytes, note: nil)
    }
}

extension Definition {
    /// Whether it calls the services of `other`, and no others, under the same saga's name.
    fileprivate func isServed(like other: Definition) -> Bool {
        func places(_ definition: Definition) -> [String] {
            definition.services.map { "\($0.name) \($0.url)" }.sorted()
        }
        return name == other.name && places(self) == places(other)
    }
}
