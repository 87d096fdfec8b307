import ArgumentParser
import Logging
import SagaCore

/// A duration as definitions write them, such as `30s`.
struct DurationOption: ExpressibleByArgument {
    let span: TimeSpan
    let defaultValueDescription: String

    init(_ span: TimeSpan, _ text: String) {
        self.span = span
        defaultValueDescription = text
    }

    init?(argument: String) {
        guard let span = try? TimeSpan(parsing: argument) else { return nil }
        self.init(span, argument)
    }
}

extension LogFormat: ExpressibleByArgument {}

extension Logger.Level: @retroactive ExpressibleByArgument {}
