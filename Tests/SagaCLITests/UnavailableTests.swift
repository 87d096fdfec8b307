import SagaCore
import SagaTestKit
import Testing

/// A server that lacks room, memory or connections isn't the call's fault: 69, and it may be made again.
@Suite struct UnavailableTests {
    typealias Run = SagaProgram.Run

    /// Has every write fail as the server would.
    private func breakWrites(of program: SagaProgram, state: String) async throws {
        try await program.pool.execute(
            script: """
                CREATE OR REPLACE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    RAISE EXCEPTION 'could not extend file "base/5/16384"' USING ERRCODE = '\(state)';
                END
                $$;
                CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON saga.event FOR EACH ROW EXECUTE FUNCTION public.fail();
                CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON saga.definition
                    FOR EACH ROW EXECUTE FUNCTION public.fail();
                CREATE OR REPLACE TRIGGER fail BEFORE UPDATE ON saga.service
                    FOR EACH ROW EXECUTE FUNCTION public.fail()
                """)
    }

    private let failed = Run(
        69, error: "saga: the database can't be used now: could not extend file \"base/5/16384\"\n")

    @Test(arguments: [
        "53000", "53100", "53200", "53300", "53400", "57P01", "57P02", "57P03", "57P05", "58000", "58030",
    ])
    func aStartThatTheServerHasNoRoomForIs69(state: String) async throws {
        let program = try await SagaProgram.withDefinitions()
        try await breakWrites(of: program, state: state)
        #expect(try await program.run("start", "order", "--key", "k") == failed)
        #expect(try await program.run("start", "order", "--wait", "--format", "json") == failed)
        #expect(
            try await program.run("status", "k") == Run(1, error: "saga: no saga has the id or key \"k\"\n"),
            "nothing was done")
        await program.remove()
    }

    private static let stuckEvents: [(EventType, String?)] = [
        (.stepStarted, #"{"step":"reserve","attempt":1}"#),
        (.stepSucceeded, #"{"step":"reserve","attempt":1,"outcome":"done","output":null}"#),
        (.stepStarted, #"{"step":"charge","attempt":1}"#),
        (.stepFailed, #"{"step":"charge","attempt":1,"outcome":"failed","error":"No","message":"no"}"#),
        (.sagaCompensating, #"{"step":"charge","error":"No","message":"no"}"#),
        (.compensationStarted, #"{"step":"reserve","attempt":1}"#),
        (.compensationFailed, #"{"step":"reserve","attempt":1,"outcome":"failed","error":"Shut","message":"!"}"#),
        (.sagaStuck, #"{"step":"reserve","error":"Shut","message":"!"}"#),
    ]

    private static let completedEvents: [(EventType, String?)] =
        ["reserve", "charge", "ship"].flatMap { step -> [(EventType, String?)] in
            [
                (.stepStarted, #"{"step":"\#(step)","attempt":1}"#),
                (.stepSucceeded, #"{"step":"\#(step)","attempt":1,"outcome":"done","output":null}"#),
            ]
        } + [(.sagaCompleted, #"{"output":null}"#)]

    @Test func everyCallThatWritesTellsSo() async throws {
        let program = try await SagaProgram.withDefinitions()
        _ = try await program.startSaga("order", key: "pending")
        let stuck = try await program.startSaga("order", key: "stuck")
        try await program.append(Self.stuckEvents, to: stuck, leaving: .stuck)
        let completed = try await program.startSaga("order", key: "completed")
        try await program.append(Self.completedEvents, to: completed, leaving: .completed)
        try await breakWrites(of: program, state: "53100")
        try program.write(Fixtures.order.replacing("/ship", with: "/shipments"), to: "sagas/order.json")
        for call in [
            ["cancel", "pending", "--reason", "r"], ["pause", "pending"], ["terminate", "pending", "--reason", "r"],
            ["retry", "stuck"], ["resolve", "stuck", "reserve", "--undone", "--reason", "r"],
            ["compensate", "completed", "--reason", "r"], ["apply", "sagas"],
            ["breaker", "force-open", "shop", "--reason", "r"],
        ] {
            let run = try program.start(call, input: nil)
            let ending = await run.ending()
            #expect(ending == failed, "\(call)")
        }
        // Of many sagas the first tells it, and nothing is tried on the others.
        let many = try await program.run("pause", "--saga", "order", "--yes")
        #expect(many.status == 69)
        #expect(many.error == failed.error)
        await program.remove()
    }

    @Test func aMigrationThatTheServerHasNoRoomForIs69() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        try await program.pool.execute(
            script: """
                CREATE FUNCTION public.fail() RETURNS event_trigger LANGUAGE plpgsql AS $$
                BEGIN
                    RAISE EXCEPTION 'could not extend file "base/5/16384"' USING ERRCODE = '53100';
                END
                $$;
                CREATE EVENT TRIGGER fail ON ddl_command_start WHEN TAG IN ('CREATE TABLE')
                    EXECUTE FUNCTION public.fail()
                """)
        #expect(try await program.run("migrate") == failed)
        await program.remove()
    }
}
