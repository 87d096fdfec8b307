import Foundation
import JSON
import SagaTestKit
import Testing

/// What a person does to a saga that has ended or is stuck, with real programs, PostgreSQL and services.
@Suite(.timeLimit(.minutes(5))) struct OperatorDeskTests {
    // MARK: saga compensate

    @Test func aCompletedOrderIsUndoneAWeekLater() async throws {
        let test = try await Installation.make()
        let daemon = try await test.daemon()
        let id = try await test.start("fine", key: "k")
        #expect(try await test.wait(for: id, ["completed", "compensated"])["status"] == "completed")
        #expect(try await test.held("k") == 4)

        let wanted = try await test.saga("compensate", "k", "--reason", "she sent it back")
        #expect(wanted == .init(status: 0, output: "order \(id) is being compensated\n", errors: ""))
        let undone = try await test.wait(for: id, ["compensated", "stuck"])
        #expect(undone["status"] == "compensated")
        #expect(undone["output"] == .null)
        #expect(
            undone["failure"]
                == ["step": nil, "error": "Saga.Cancelled", "message": "she sent it back"])
        #expect(try await test.held("k") == 0)
        let types = try await test.types(id)
        let end = try #require(types.firstIndex(of: "SagaCompleted"))
        #expect(
            Array(types[(end + 1)...].prefix(3)) == [
                "SagaCompensationRequested", "SagaCompensating", "CompensationStarted",
            ])
        #expect(types.last == "SagaCompensated")
        let order = try await undoneSteps(of: id, test)
        #expect(order == ["send_confirmation", "create_shipment", "charge_payment", "reserve_inventory"])

        // Asked again, or started again with its key, it stays what it is.
        let again = try await test.saga("compensate", "k", "--reason", "she sent it back")
        #expect(again == .init(status: 0, output: "order \(id): the saga was compensated already\n", errors: ""))
        let restart = try await test.saga("start", "order", "--key", "k", "--input", test.input("fine", "k"), "--wait")
        #expect(restart.status == 3)
        #expect(restart.output == "\(id)\n")
        #expect(await daemon.stop().status == 0)
        await test.remove()
    }

    /// The steps that were undone, in order.
    private func undoneSteps(of id: String, _ test: Installation) async throws -> [String] {
        try await test.saga("events", id, "--format", "json").output.split(separator: "\n").compactMap { line in
            let event = try JSON.parse(String(line))
            return event["type"] == "saga.CompensationSucceeded" ? event["data"]?["step"]?.stringValue : nil
        }
    }

    // MARK: saga retry --input-patch

    private static func booking(_ port: Int) -> String {
        """
        {"saga": "booking", "services": {"hotel": {"url": "http://127.0.0.1:\(port)"}},
         "input": {"type": "object", "required": ["code"], "properties": {"code": {"type": "string"}}},
         "steps": [
          {"name": "reserve", "action": {"http": {"service": "hotel", "path": "/reserve"}},
           "compensation": {"http": {"service": "hotel", "path": "/release", "body": {"code": "${ input.code }"}},
                            "retry": {"maximumAttempts": 1}}},
          {"name": "charge", "action": {"http": {"service": "hotel", "path": "/charge"}}, "compensation": "none"}]}
        """
    }

    /// Releases by a code: `bad` is refused, at `lost` the connection is.
    private func hotel() throws -> RecordingServer {
        try RecordingServer { request in
            switch (request.path, request.body) {
            case ("/reserve", _): ("200 OK", #"{"id": 1}"#)
            case ("/charge", _): ("402 Payment Required", #"{"error": "CardDeclined"}"#)
            case (_, #"{"code":"lost"}"#): nil
            case (_, #"{"code":"bad"}"#): ("422 Unprocessable Entity", #"{"error": "BadCode"}"#)
            default: ("200 OK", "")
            }
        }
    }

    private func stuck(_ code: String, _ test: Installation) async throws -> String {
        let start = try await test.saga("start", "booking", "--input", #"{"code": "\#(code)"}"#, "--key", code)
        let id = start.output.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(try await test.wait(for: id, ["stuck", "compensated"])["status"] == "stuck")
        return id
    }

    @Test func aRefusedUndoIsCalledWithMendedDataUnderANewKey() async throws {
        let hotel = try hotel()
        let test = try await Installation.make()
        try Self.booking(hotel.port).write(
            toFile: test.folder + "/sagas/booking.json", atomically: true, encoding: .utf8)
        let daemon = try await test.daemon()
        let id = try await stuck("bad", test)
        let before = try await test.types(id)

        let wrong = try await test.saga("retry", "bad", "--input-patch", #"{"code": 7}"#)
        #expect(
            wrong
                == .init(
                    status: 1, output: "",
                    errors:
                        "saga: the patched input breaks the schema of booking: /code must be a string, not a number\n"))
        #expect(try await test.types(id) == before)

        try #"{"code": "good"}"#.write(toFile: test.folder + "/patch.json", atomically: true, encoding: .utf8)
        let mended = try await test.saga("retry", "bad", "--input-patch", "patch.json", "--reason", "typo")
        #expect(
            mended == .init(status: 0, output: "booking \(id) is tried again with the patched input\n", errors: ""))
        let end = try await test.wait(for: id, ["compensated", "stuck"])
        #expect(end["status"] == "compensated")
        #expect(end["input"] == ["code": "bad"])

        let releases = hotel.requests.filter { $0.path == "/release" }
        #expect(releases.map(\.body) == [#"{"code":"bad"}"#, #"{"code":"good"}"#])
        #expect(
            releases.map { $0.headers["idempotency-key"] }
                == ["\"\(id):reserve:compensation\"", "\"\(id):reserve:compensation:2\""])
        #expect(
            releases.map { $0.headers["saga-compensates"] } == Array(repeating: "\"\(id):reserve:action\"", count: 2))
        #expect(releases.map { $0.headers["saga-attempt"] } == ["1", "2"])
        let events = try await test.saga("events", id, "--format", "json").output.split(separator: "\n")
        let retried = try JSON.parse(String(try #require(events.first { $0.contains("saga.SagaRetried") })))
        #expect(retried["data"]?["patch"] == ["code": "good"])
        #expect(retried["data"]?["reason"] == "typo")
        #expect(await daemon.stop().status == 0)
        hotel.stop()
        await test.remove()
    }

    @Test func anUndoThatMayHaveHappenedIsNotCalledOtherwise() async throws {
        let hotel = try hotel()
        let test = try await Installation.make()
        try Self.booking(hotel.port).write(
            toFile: test.folder + "/sagas/booking.json", atomically: true, encoding: .utf8)
        let daemon = try await test.daemon()
        let id = try await stuck("lost", test)
        let before = try await test.types(id)

        let refused = try await test.saga("retry", "lost", "--input-patch", #"{"code": "good"}"#)
        #expect(
            refused
                == .init(
                    status: 1, output: "",
                    errors:
                        "saga: the compensation of reserve may have happened as it was called, so it can't be called "
                        + "otherwise; find out, and state it: saga resolve \(id) reserve --undone when it was undone, "
                        + "else --done\n"))
        #expect(try await test.types(id) == before)
        #expect(try await test.saga("resolve", "lost", "reserve", "--undone", "--reason", "seen").status == 0)
        #expect(try await test.wait(for: id, ["compensated", "stuck"])["status"] == "compensated")
        #expect(hotel.requests.filter { $0.path == "/release" }.count == 1)
        #expect(await daemon.stop().status == 0)
        hotel.stop()
        await test.remove()
    }
}
