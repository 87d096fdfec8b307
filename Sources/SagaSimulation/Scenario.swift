import JSON
import SagaCore

/// One run of a definition with what is to happen in it, and what must come of it.
public struct Scenario: Sendable {
    /// Where something stands in the scenario's file, both from 1.
    public struct Place: Sendable, Hashable {
        public let line: Int
        public let column: Int
    }

    public let name: String
    public let place: Place
    public let run: SimulatedRun
    /// In the order of the file.
    public let expectations: [Expectation]
    let prepared: [Prepared]

    /// Something that must come about in the run, or it was written in vain.
    struct Prepared: Sendable {
        enum What: Sendable, Hashable {
            /// The answer to one attempt; to all from `attempt` on if it is the last one.
            case answer(SimulationScript.Target, attempt: Int, isLast: Bool)
            case crash(CrashPoint)
        }

        let what: What
        /// Told if it doesn't.
        let finding: Finding
    }
}

extension Scenario {
    /// One thing that must be so of a run.
    public struct Expectation: Sendable {
        /// Its key in the file, such as `calls`.
        public let key: String
        public let place: Place
        let content: Content

        enum Content: Sendable {
            case status(SagaStatus)
            /// nil: none.
            case failure(JSONObject?)
            case output(JSON)
            case calls([Pattern])
            case effects([Pattern])
            case events([Pattern])
            /// By the index of the step, in the order of the file.
            case steps([(step: String, pattern: JSONObject)])
            case within(TimeSpan)
            case refused([Pattern])
        }
    }

    /// What one element of a list must be: the members that it names.
    struct Pattern: Sendable, Hashable {
        let members: JSONObject
    }
}

/// A file of scenarios, read and checked.
public struct ScenarioFile: Sendable {
    /// What becomes of looking for a definition.
    public enum Lookup: Sendable {
        case found(Definition)
        /// Why not, as a clause.
        case unreadable(String)
        /// It has faults of its own, which are told elsewhere.
        case faulty
    }

    public let definition: Definition?
    /// The input of scenarios that have none of their own; nil when the file gives none.
    public let input: RawJSON?
    /// What steps answer, by name, where nothing else is said.
    public let outputs: [String: RawJSON]
    public let seed: UInt64
    /// Empty if there is any error among the findings.
    public let scenarios: [Scenario]
    /// By place.
    public let findings: [Finding]

    /// Reads one file.
    ///
    /// - Parameters:
    ///   - file: what findings call it.
    ///   - definition: looks the definition up by the path that the file gives, nil if it gives none.
    public static func parse(
        _ bytes: [UInt8], file: String? = nil, definition: (_ path: String?) -> Lookup
    ) -> ScenarioFile {
        ScenarioParser.parse(bytes, file: file, lookup: definition)
    }
}
