/// The usage lines of the calls that take one saga or filters: the parser's own would list every option.
enum SteeringUsage {
    /// - Parameter more: options of this call alone.
    static func text(_ name: String, reason isRequired: Bool, more: String = "") -> String {
        let reason = (isRequired ? "--reason <text>" : "[--reason <text>]") + more
        return """
            saga \(name) <id|key> \(reason) [--actor <text>]
            saga \(name) <filters> \(reason) [--actor <text>] [--dry-run] [--yes] [--limit <n>] [--rate <n/s>]
            """
    }
}
