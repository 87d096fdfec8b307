import JSON

extension NearestName {
    /// A hint as the language's messages quote names; of equally near ones the first by spelling.
    static func hint(for name: String, among names: some Sequence<String>) -> String? {
        nearest(to: name, among: names.sorted()).map { "did you mean '\($0)'?" }
    }
}
