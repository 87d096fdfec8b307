import SagaCore
import Testing

@Suite struct MermaidGraphTests {
    @Test func definitionAlone() throws {
        #expect(
            MermaidGraph(try Fixtures.definition(Fixtures.transfer)).text
                == """
                flowchart TD
                    s0{{"check"}}
                    s1["withdraw"]
                    s2[["deposit"]]
                    s3["receipt"]
                    c1(["undo withdraw"])
                    s0 --> s2
                    s1 --> s2
                    s2 --> s3
                    s1 -. undo .-> c1
                    classDef pivot stroke-width:4px
                    class s2 pivot
                """
        )
    }

    @Test func sagaThatIsStuckOnACompensation() throws {
        let definition = try Fixtures.definition(Fixtures.order)
        let state = try Fixtures.state(
            definition,
            [
                .started(action(0), attempt: 1),
                .succeeded(action(0), attempt: 1, output: .null),
                .started(action(1), attempt: 1),
                .attemptFailed(action(1), failure(1, .unknown, "Saga.Timeout"), next: Fixtures.at(9)),
                .started(action(1), attempt: 2),
                .failed(action(1), failure(2, .failed, "CardDeclined")),
                .sagaCompensating(SagaFailure(step: 1, error: "CardDeclined", message: "no")),
                .started(undo(1), attempt: 1),
                .failed(undo(1), failure(1, .failed, "\"]-->x")),
                .sagaStuck(SagaFailure(step: 1, error: "x", message: "")),
            ]
        )
        #expect(
            MermaidGraph(definition, state: state).text
                == """
                flowchart TD
                    s0["reserve<br/>succeeded"]
                    s1["charge<br/>compensation failed, 2 attempts<br/>CardDeclined"]
                    s2["ship<br/>pending"]
                    c0(["undo reserve<br/>pending"])
                    c1(["undo charge<br/>failed<br/>#34;#93;--#62;x"])
                    s0 --> s1
                    s1 --> s2
                    s0 -. undo .-> c0
                    s1 -. undo .-> c1
                    classDef done fill:#d1e7dd,stroke:#198754,color:#0a3622
                    class s0 done
                    classDef failed fill:#f8d7da,stroke:#dc3545,color:#58151c
                    class c1 failed
                    classDef inDoubt fill:#fff3cd,stroke:#fd7e14,color:#664d03
                    class s1 inDoubt
                """
        )
    }

    @Test func sagaPastItsPivot() throws {
        let definition = try Fixtures.definition(Fixtures.transfer)
        let state = try Fixtures.state(
            definition,
            [
                .stepSkipped(step: 0),
                .succeeded(action(1), attempt: 1, output: .null),
                .succeeded(action(2), attempt: 1, output: .null),
                .started(action(3), attempt: 1),
            ]
        )
        #expect(
            MermaidGraph(definition, state: state).text
                == """
                flowchart TD
                    s0{{"check<br/>skipped"}}
                    s1["withdraw<br/>succeeded"]
                    s2[["deposit<br/>succeeded"]]
                    s3["receipt<br/>running"]
                    c1(["undo withdraw"])
                    s0 --> s2
                    s1 --> s2
                    s2 --> s3
                    s1 -. undo .-> c1
                    classDef pivot stroke-width:4px
                    class s2 pivot
                    classDef active fill:#cfe2ff,stroke:#0d6efd,color:#052c65
                    class s3 active
                    classDef done fill:#d1e7dd,stroke:#198754,color:#0a3622
                    class s1,s2 done
                    classDef skipped fill:#f8f9fa,stroke:#adb5bd,color:#5c636a,stroke-dasharray:4 3
                    class s0 skipped
                """
        )
    }
}
