import Foundation
import JSON
import SagaTestKit
import Testing

/// The shipped order saga with real processes: `saga`, `sagad`, `order-demo` and PostgreSQL.
@Suite(.timeLimit(.minutes(5))) struct OrderTests {
    @Test func anOrderIsReservedChargedShippedAndConfirmed() async throws {
        let test = try await Installation.make()
        let daemon = try await test.daemon()
        let run = try await test.saga(
            "start", "order", "--key", "o-1", "--input", test.input("fine", "o-1"), "--wait", "--format", "json")
        #expect(run.status == 0, "\(run)")
        let document = try JSON.parse(run.output)
        #expect(document["status"] == "completed")
        #expect(document["steps"]?.arrayValue?.map { $0["status"] } == Array(repeating: "succeeded", count: 4))
        #expect(document["output"]?["orderId"] == "o-1")
        #expect(try await test.held("o-1") == 4)
        #expect(await daemon.stop().status == 0)
        await test.remove()
    }

    @Test(arguments: [
        ("declined", 1, "charge_payment", "CardDeclined"), ("sold-out", 0, "reserve_inventory", "OutOfStock"),
        ("no-carrier", 2, "create_shipment", "NoCarrier"),
    ])
    func whatIsRefusedIsUndone(fate: String, undone: Int, step: String, error: String) async throws {
        let test = try await Installation.make()
        let daemon = try await test.daemon()
        let run = try await test.saga(
            "start", "order", "--key", fate, "--input", test.input(fate, fate), "--wait", "--format", "json")
        #expect(run.status == 3, "\(run)")
        let document = try JSON.parse(run.output)
        #expect(document["status"] == "compensated")
        #expect(document["failure"]?["step"]?.stringValue == step)
        #expect(document["failure"]?["error"]?.stringValue == error)
        let statuses = document["steps"]?.arrayValue?.compactMap { $0["status"]?.stringValue } ?? []
        #expect(statuses.filter { $0 == "compensated" }.count == undone)
        #expect(try await test.held(fate) == 0)
        #expect(await daemon.stop().status == 0)
        await test.remove()
    }

    @Test func aChargeWhoseAnswerIsLostIsRefunded() async throws {
        let test = try await Installation.make()
        let daemon = try await test.daemon()
        let id = try await test.start("lost-answer", key: "lost")
        let document = try await test.wait(for: id, ["compensated", "completed", "stuck"])
        #expect(document["status"] == "compensated")
        let charge = document["steps"]?[1]
        #expect(charge?["outcome"] == "unknown")
        #expect(charge?["attempts"] == 4)
        #expect(charge?["error"] == "Saga.ConnectionLost")
        #expect(charge?["compensation"]?["status"] == "succeeded")
        #expect(try await test.held("lost") == 0)
        #expect(await daemon.stop().status == 0)
        await test.remove()
    }

    @Test func aRefundThatFailsAtFirstIsTriedAgain() async throws {
        let test = try await Installation.make()
        let daemon = try await test.daemon()
        let id = try await test.start("refund-fails-first", key: "refund")
        let document = try await test.wait(for: id, ["compensated", "completed", "stuck"])
        #expect(document["status"] == "compensated")
        #expect(document["steps"]?[1]?["compensation"]?["attempts"] == 2)
        #expect(try await test.held("refund") == 0)
        #expect(await daemon.stop().status == 0)
        await test.remove()
    }

    @Test func aCancelIsActedOnWhileACallIsInFlight() async throws {
        let test = try await Installation.make(hold: "2500ms")
        let daemon = try await test.daemon()
        let id = try await test.start("slow", key: "cancelled")
        _ = try await test.wait(for: id, ["running"])
        let cancel = try await test.saga("cancel", id, "--reason", "changed my mind")
        #expect(cancel.status == 0, "\(cancel)")
        let document = try await test.wait(for: id, ["compensated", "completed", "stuck"])
        #expect(document["status"] == "compensated")
        #expect(document["failure"] == ["step": nil, "error": "Saga.Cancelled", "message": "changed my mind"])
        #expect(try await test.held("cancelled") == 0)
        #expect(await daemon.stop().status == 0)
        await test.remove()
    }

    @Test(.enabled(if: TestPooler.isInstalled, "pgbouncer isn't installed (apt-get install pgbouncer)"))
    func aDaemonWorksBehindPgBouncerInTransactionMode() async throws {
        let test = try await Installation.make()
        let (pooled, pooler) = try await TestPooler.start(for: test.database, on: .shared)
        // More connections than the pooler has, the first migration included.
        let daemons = [try await test.daemon(database: pooled), try await test.daemon(database: pooled)]
        var ids: [String] = []
        for number in 0..<6 {
            ids.append(try await test.start(number % 2 == 0 ? "fine" : "declined", key: "p-\(number)"))
        }
        for (number, id) in ids.enumerated() {
            let document = try await test.wait(for: id, ["completed", "compensated", "stuck"])
            #expect(document["status"] == (number % 2 == 0 ? "completed" : "compensated"))
        }
        for daemon in daemons { #expect(await daemon.stop().status == 0) }
        await pooler.stop()
        await test.remove()
    }
}
