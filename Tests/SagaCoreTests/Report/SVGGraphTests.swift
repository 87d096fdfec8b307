import Foundation
import SagaCore
import Testing

/// Whole pictures.
///
/// To write one anew: `saga graph sagas/order.json --as svg`; look at it before it is committed.
@Suite struct SVGGraphTests {
    private static let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        .standardized

    private static func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: project.appending(path: path)), as: UTF8.self)
    }

    private static func shipped(_ name: String) throws -> Definition {
        try definition(try text("sagas/\(name).json"))
    }

    static func definition(_ text: String) throws -> Definition {
        let parsed = DefinitionParser.parse(Array(text.utf8))
        return try #require(parsed.definition, "\(parsed.findings.map(\.text))")
    }

    @Test(arguments: ["order", "trip", "transfer"]) func shippedDefinitions(name: String) throws {
        let picture = SVGGraph(try Self.shipped(name)).text
        #expect(picture + "\n" == (try Self.text("Tests/SagaCoreTests/Resources/graphs/\(name).svg")))
    }

    /// Every colour, a pivot, a condition, a step that passes the way back on, and one that never can.
    @Test func sagaInTrouble() throws {
        let definition = try Self.definition(Self.everything)
        let picture = SVGGraph(definition, state: try Self.trouble(definition)).text
        #expect(picture + "\n" == (try Self.text("Tests/SagaCoreTests/Resources/graphs/trouble.svg")))
    }

    @Test func hostileTextStaysText() throws {
        let hostile =
            #"<script>alert(1)</script> & ]]> \" ' <!-- \u0000\u001b\u202e\u2028 --> ${x} 漢字 \ud83d\ude00 e\u0301"#
        let condition = #"input.x == '</text><image href=\"http://evil\"/>\u0007&\u202e'"#
        let definition = try Self.definition(
            """
            {"saga": "s", "description": "\(hostile)", "services": {"s": {"url": "http://s"}}, "steps": [
              {"name": "a", "when": "\(condition)", "compensation": {"http": {"service": "s", "path": "/"}},
               "action": {"http": {"service": "s", "path": "/"}}}]}
            """)
        let state = try Self.fold(
            definition, key: "</title>\u{1B}[31m",
            [
                .started(Self.action(0), attempt: 1),
                .failed(Self.action(0), Self.failure(1, .failed, "\"><svg onload='x'>\u{FFFE}\u{FFFF}\u{9}\u{85}")),
            ])
        let text = SVGGraph(definition, state: state).text
        let picture = try SVGPicture(text)
        #expect(
            picture.title
                == "Saga s: running, key </title>[31m, \(sagaID), version \(definition.digest.version)")
        let when = #"input.x == '</text><image href="http://evil"/>&'"#
        #expect(
            picture.summary
                == "<script>alert(1)</script> & ]]> \" ' <!-- --> ${x} 漢字 😀 e\u{301} Steps in the order of the file: "
                + "a (when \(when); failed; \"><svg onload='x'>; can be undone)."
        )
        let names = Set(picture.root.all.map(\.name)).sorted()
        #expect(
            names == ["circle", "desc", "g", "path", "rect", "style", "svg", "text", "title"].filter(names.contains))
        let attributes = Set(picture.root.all.flatMap { $0.attributes.keys }).sorted()
        #expect(!attributes.contains { $0.hasPrefix("on") || $0.hasSuffix("href") })
        let forbidden = text.unicodeScalars.filter { scalar in
            switch scalar.properties.generalCategory {
            case .control: scalar != "\n"
            case .lineSeparator, .paragraphSeparator, .unassigned: true
            case .format: (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
            default: false
            }
        }
        #expect(forbidden.isEmpty)
    }

    @Test func nothingIsFetchedAndNothingRuns() throws {
        for name in ["order", "trip", "transfer"] {
            let text = SVGGraph(try Self.shipped(name)).text
            #expect(text.components(separatedBy: "http").count == 2, "but the namespace")
            for word in ["href", "url(", "@import", "<script", "<image", "<use", "<foreignObject"] {
                #expect(!text.contains(word))
            }
            let root = try SVGPicture(text).root
            #expect(root.attributes["role"] == "img")
            #expect(root.children.prefix(2).map(\.name) == ["title", "desc"])
        }
    }

    @Test func longNamesAreCutAndStandWholeInTheTooltip() throws {
        let name = "a" + String(repeating: "W", count: 62)
        let condition = "input.amount > 1000000 && input.country in ['DE', 'FR', 'IT', 'ES', 'PL']"
        let definition = try Self.definition(
            """
            {"saga": "s", "services": {"s": {"url": "http://s"}}, "steps": [
              {"name": "\(name)", "when": "${ \(condition) }", "compensation": {"http": {"service": "s", "path": "/"}},
               "action": {"http": {"service": "s", "path": "/"}}}]}
            """)
        let root = try SVGPicture(SVGGraph(definition).text).root
        let boxes = root.all.filter { ($0.attributes["class"] ?? "").hasPrefix("box") }
        #expect(
            boxes.map { $0.children.filter { $0.name == "title" || $0.name == "text" }.map(\.text) } == [
                ["\(name); when \(condition); can be undone", "aWWWWWWWWWWWW…", "when input.amount > 1000000…"],
                ["undo \(name)", "undo aWWWWWWWWWW…"],
            ]
        )
    }

    // MARK: Sagas

    static let everything = """
        {"saga": "everything", "onCompensationFailure": "continue", "services": {"s": {"url": "http://s"}}, "steps": [
          {"name": "reserve", "after": [], "action": {"http": {"service": "s", "path": "/"}},
           "compensation": {"http": {"service": "s", "path": "/"}}},
          {"name": "charge", "after": [], "action": {"http": {"service": "s", "path": "/"}},
           "compensation": {"http": {"service": "s", "path": "/"}}},
          {"name": "gift_wrap", "after": ["reserve"], "when": "${ input.gift }",
           "action": {"http": {"service": "s", "path": "/"}}, "compensation": {"http": {"service": "s", "path": "/"}}},
          {"name": "look_up", "after": ["charge"], "action": {"http": {"service": "s", "method": "GET", "path": "/"}}},
          {"name": "pack", "after": ["gift_wrap", "look_up", "reserve"],
           "action": {"http": {"service": "s", "path": "/"}}, "compensation": {"http": {"service": "s", "path": "/"}}},
          {"name": "ship", "pivot": true, "action": {"http": {"service": "s", "path": "/"}}},
          {"name": "mail", "action": {"http": {"service": "s", "path": "/"}},
           "compensation": {"http": {"service": "s", "path": "/"}}}
        ]}
        """

    static func action(_ step: Int) -> OperationReference { OperationReference(step: step, side: .action) }

    static func undo(_ step: Int) -> OperationReference { OperationReference(step: step, side: .compensation) }

    static func failure(_ attempt: Int, _ outcome: Outcome, _ error: String) -> Event.AttemptFailure {
        Event.AttemptFailure(attempt: attempt, outcome: outcome, error: error, message: "no")
    }

    static func fold(_ definition: Definition, key: String? = nil, _ events: [Event]) throws -> SagaState {
        let all = [.sagaStarted(input: json("{}"))] + events
        let history = all.enumerated().map { index, event in
            RecordedEvent(sequence: index + 1, cause: nil, at: at(Double(index)), event: event)
        }
        return try #require(SagaState(folding: history, id: sagaID, key: key, definition: definition))
    }

    private static func trouble(_ definition: Definition) throws -> SagaState {
        try fold(
            definition, key: "order-42",
            [
                .started(action(0), attempt: 1),
                .succeeded(action(0), attempt: 1, output: .null),
                .started(action(1), attempt: 1),
                .succeeded(action(1), attempt: 1, output: .null),
                .stepSkipped(step: 2),
                .started(action(3), attempt: 1),
                .succeeded(action(3), attempt: 1, output: .null),
                .started(action(4), attempt: 1),
                .attemptFailed(action(4), failure(1, .unknown, "Saga.Timeout"), next: at(9)),
                .started(action(4), attempt: 2),
                .failed(action(4), failure(2, .failed, "NoBoxes")),
                .sagaCompensating(SagaFailure(step: 4, error: "NoBoxes", message: "no")),
                .started(undo(4), attempt: 1),
                .failed(undo(4), failure(1, .failed, "Gone")),
                .started(undo(0), attempt: 1),
                .succeeded(undo(0), attempt: 1, output: .null),
                .started(undo(1), attempt: 1),
            ])
    }
}
