import AsyncHTTPClient
import Foundation
import JSON
import Testing

/// The services over real HTTP, with a real database behind them.
@Suite(.serialized, .timeLimit(.minutes(3))) struct ServiceTests {
    typealias Reply = RunningServices.Reply

    private func charge(_ card: String, cents: Int = 1999) -> JSON {
        ["orderId": "o-1", "card": .string(card), "amountCents": .number(JSONNumber(cents)), "currency": "EUR"]
    }

    private func reservation(_ items: [(String, Int)]) -> JSON {
        [
            "orderId": "o-1",
            "items": .array(items.map { ["sku": .string($0.0), "quantity": .number(JSONNumber($0.1))] }),
        ]
    }

    @Test func anOrderIsHeldInAllBooksAndUndoneInAll() async throws {
        try await RunningServices.run(["--stock", "10"]) { services async throws in
            #expect(
                try await services.post(
                    "inventory",
                    "/reservations",
                    key: "s:i:action",
                    reservation([("tea", 2), ("mug", 1)])
                )
                    == Reply(201, ["reservationId": "r-1"])
            )
            #expect(
                try await services.post("payment", "/charges", key: "s:p:action", charge("visa"))
                    == Reply(201, ["chargeId": "c-1", "amountCents": 1999])
            )
            #expect(
                try await services.post(
                    "shipping",
                    "/shipments",
                    key: "s:s:action",
                    ["orderId": "o-1", "reservationId": "r-1", "country": "DE"]
                )
                    == Reply(201, ["shipmentId": "s-1", "trackingNumber": "DE1000001"])
            )
            #expect(
                try await services.post(
                    "notification",
                    "/confirmations",
                    key: "s:n:action",
                    ["orderId": "o-1", "customer": "ada@example.org", "trackingNumber": "DE1000001"]
                )
                    == Reply(201, ["confirmationId": "n-1"])
            )
            #expect(
                try await books(services) == [
                    [
                        "service": "inventory",
                        "stock": [
                            ["sku": "mug", "onHand": 10, "reserved": 1], ["sku": "tea", "onHand": 10, "reserved": 2],
                        ],
                        "orders": [["orderId": "o-1", "held": 1, "undone": 0, "units": 3]],
                        "totals": ["held": 1, "undone": 0, "units": 3],
                    ],
                    [
                        "service": "payment",
                        "orders": [["orderId": "o-1", "held": 1, "undone": 0, "heldCents": 1999]],
                        "totals": ["held": 1, "undone": 0, "heldCents": 1999],
                    ],
                    [
                        "service": "shipping", "orders": [["orderId": "o-1", "held": 1, "undone": 0]],
                        "totals": ["held": 1, "undone": 0],
                    ],
                    [
                        "service": "notification", "orders": [["orderId": "o-1", "held": 1, "undone": 0]],
                        "totals": ["held": 1, "undone": 0],
                    ],
                ]
            )

            let undone = [
                try await services.post(
                    "notification",
                    "/cancellations",
                    key: "s:n:compensation",
                    compensates: "s:n:action",
                    ["orderId": "o-1", "confirmationId": "n-1"]
                ),
                try await services.post(
                    "shipping",
                    "/shipments/cancel",
                    key: "s:s:compensation",
                    compensates: "s:s:action",
                    ["orderId": "o-1", "shipmentId": "s-1"]
                ),
                try await services.post(
                    "payment",
                    "/refunds",
                    key: "s:p:compensation",
                    compensates: "s:p:action",
                    ["orderId": "o-1", "chargeId": "c-1"]
                ),
                try await services.post(
                    "inventory",
                    "/reservations/release",
                    key: "s:i:compensation",
                    compensates: "s:i:action",
                    ["orderId": "o-1", "reservationId": "r-1"]
                ),
            ]
            #expect(
                undone == [
                    Reply(200, ["confirmationId": "n-1", "undone": true]),
                    Reply(200, ["shipmentId": "s-1", "undone": true]),
                    Reply(200, ["chargeId": "c-1", "undone": true]),
                    Reply(200, ["reservationId": "r-1", "undone": true]),
                ]
            )
            #expect(
                try await books(services) == [
                    [
                        "service": "inventory",
                        "stock": [
                            ["sku": "mug", "onHand": 10, "reserved": 0], ["sku": "tea", "onHand": 10, "reserved": 0],
                        ],
                        "orders": [["orderId": "o-1", "held": 0, "undone": 1, "units": 0]],
                        "totals": ["held": 0, "undone": 1, "units": 0],
                    ],
                    [
                        "service": "payment",
                        "orders": [["orderId": "o-1", "held": 0, "undone": 1, "heldCents": 0]],
                        "totals": ["held": 0, "undone": 1, "heldCents": 0],
                    ],
                    [
                        "service": "shipping", "orders": [["orderId": "o-1", "held": 0, "undone": 1]],
                        "totals": ["held": 0, "undone": 1],
                    ],
                    [
                        "service": "notification", "orders": [["orderId": "o-1", "held": 0, "undone": 1]],
                        "totals": ["held": 0, "undone": 1],
                    ],
                ]
            )
        }
    }

    @Test func refusalsAreDecidedAnewAndHoldNothing() async throws {
        try await RunningServices.run { services async throws in
            #expect(
                try await services.post("payment", "/charges", key: "k1", charge("declined"))
                    == Reply(402, ["error": "CardDeclined", "message": "the card was declined"])
            )
            #expect(
                try await services.post(
                    "inventory",
                    "/reservations",
                    key: "k2",
                    reservation([("tea", 1), ("sold-out", 3)])
                )
                    == Reply(409, ["error": "OutOfStock", "message": "3 of sold-out wanted, 0 available"])
            )
            #expect(
                try await services.post("shipping", "/shipments", key: "k3", ["orderId": "o-1", "country": "ZZ"])
                    == Reply(422, ["error": "NoCarrier", "message": "no carrier goes to ZZ"])
            )
            // With another card the same action goes through: the refusal was not recorded.
            #expect(try await services.post("payment", "/charges", key: "k1", charge("visa")).status == 201)
            #expect(try await heldAndUndone(services) == [[0, 0], [1, 0], [0, 0], [0, 0]])
        }
    }

    @Test func aLostAnswerIsChargedOnceAndRefundedByItsKey() async throws {
        try await RunningServices.run(["--hold", "1ms"]) { services async throws in
            for _ in 0..<3 {
                await #expect(throws: HTTPClientError.remoteConnectionClosed) {
                    try await services.post("payment", "/charges", key: "s:p:action", charge("lost-answer"))
                }
            }
            #expect(try await heldAndUndone(services)[1] == [1, 0])
            for _ in 0..<2 {
                #expect(
                    try await services.post(
                        "payment",
                        "/refunds",
                        key: "s:p:compensation",
                        compensates: "s:p:action",
                        ["orderId": "o-1", "chargeId": nil]
                    )
                        == Reply(200, ["chargeId": "c-1", "undone": true])
                )
            }
            #expect(try await heldAndUndone(services)[1] == [0, 1])
        }
    }

    @Test func anAnswerIsHeldOpenPastTheCallersTimeout() async throws {
        try await RunningServices.run(["--hold", "3600s"]) { services async throws in
            await #expect(throws: HTTPClientError.deadlineExceeded) {
                try await services.post(
                    "payment",
                    "/charges",
                    key: "s:p:action",
                    charge("lost-answer"),
                    timeout: .seconds(1)
                )
            }
            #expect(try await heldAndUndone(services)[1] == [1, 0])
        }
    }

    @Test func aCompensationThatComesFirstStopsTheAction() async throws {
        try await RunningServices.run { services async throws in
            #expect(
                try await services.post(
                    "payment",
                    "/refunds",
                    key: "s:p:compensation",
                    compensates: "s:p:action",
                    ["chargeId": nil]
                )
                    == Reply(200, ["undone": false])
            )
            #expect(
                try await services.post("payment", "/charges", key: "s:p:action", charge("visa"))
                    == Reply(
                        409,
                        [
                            "error": "AlreadyCompensated",
                            "message": "this action was compensated before this call",
                        ]
                    )
            )
            #expect(try await heldAndUndone(services)[1] == [0, 0])
        }
    }

    @Test func aRefundThatFailsFirstWorksLater() async throws {
        try await RunningServices.run { services async throws in
            _ = try await services.post("payment", "/charges", key: "a", charge("refund-fails-first"))
            let replies = [
                try await services.post("payment", "/refunds", key: "c", compensates: "a", ["chargeId": "c-1"]),
                try await services.post("payment", "/refunds", key: "c", compensates: "a", ["chargeId": "c-1"]),
                try await services.post("payment", "/refunds", key: "c", compensates: "a", ["chargeId": "c-1"]),
            ]
            #expect(
                replies == [
                    Reply(503, ["error": "Unavailable", "message": "refunds are down for a moment"]),
                    Reply(200, ["chargeId": "c-1", "undone": true]),
                    Reply(200, ["chargeId": "c-1", "undone": true]),
                ]
            )
        }
    }

    @Test func aPersonMayUndoByIdAndNobodyTheWrongThing() async throws {
        try await RunningServices.run { services async throws in
            _ = try await services.post("payment", "/charges", key: "a1", charge("visa"))
            _ = try await services.post("payment", "/charges", key: "a2", charge("visa"))
            let replies = [
                try await services.post("payment", "/refunds", key: "c", compensates: "a1", ["chargeId": "c-2"]),
                try await services.post("payment", "/refunds", key: "c", ["chargeId": "c-9"]),
                try await services.post("payment", "/refunds", key: "c", ["chargeId": "9"]),
                try await services.post("payment", "/refunds", key: "c", ["chargeId": nil]),
                try await services.post("payment", "/charges", key: "a1", charge("visa", cents: 5)),
                try await services.post("payment", "/refunds", key: "c", ["chargeId": "c-1"]),
                try await services.post("payment", "/charges", key: "c", charge("visa")),
            ]
            #expect(
                replies == [
                    Reply(
                        422,
                        ["error": "Mismatch", "message": "\"chargeId\" is c-2, but Saga-Compensates stands for c-1"]
                    ),
                    Reply(404, ["error": "NotFound", "message": "there is no c-9"]),
                    Reply(400, ["error": "BadRequest", "message": "\"chargeId\" must look like c-1"]),
                    Reply(
                        400,
                        [
                            "error": "BadRequest",
                            "message": "neither Saga-Compensates nor \"chargeId\" says what to undo",
                        ]
                    ),
                    Reply(201, ["chargeId": "c-1", "amountCents": 1999]),
                    Reply(200, ["chargeId": "c-1", "undone": true]),
                    Reply(
                        422,
                        ["error": "KeyMismatch", "message": "key c is that of a compensation, not of an action"]
                    ),
                ]
            )
            #expect(try await heldAndUndone(services)[1] == [1, 1])
        }
    }

    @Test func duplicatesAtOnceGetOneAnswer() async throws {
        try await RunningServices.run { services async throws in
            let replies = try await withThrowingTaskGroup(of: Reply.self) { group in
                for _ in 0..<30 {
                    group.addTask { try await services.post("payment", "/charges", key: "a", charge("visa")) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(replies.count == 30)
            #expect(replies.allSatisfy { $0 == Reply(201, ["chargeId": "c-1", "amountCents": 1999]) })
            #expect(try await heldAndUndone(services)[1] == [1, 0])
        }
    }

    @Test func stockIsNeverPromisedTwiceAndNoOrderOfItemsDeadlocks() async throws {
        try await RunningServices.run(["--stock", "10"]) { services async throws in
            let statuses = try await withThrowingTaskGroup(of: UInt.self) { group in
                for order in 0..<40 {
                    let items =
                        order.isMultiple(of: 2) ? [("a", 1), ("b", 1), ("c", 1)] : [("c", 1), ("b", 1), ("a", 1)]
                    group.addTask {
                        try await services.post("inventory", "/reservations", key: "k\(order)", reservation(items))
                            .status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }.sorted()
            }
            #expect(statuses == Array(repeating: 201, count: 10) + Array(repeating: 409, count: 30))
            #expect(
                try await services.get("inventory", "/books").body["stock"] == [
                    ["sku": "a", "onHand": 10, "reserved": 10], ["sku": "b", "onHand": 10, "reserved": 10],
                    ["sku": "c", "onHand": 10, "reserved": 10],
                ]
            )
        }
    }

    @Test func ratesHitEveryCallOrNone() async throws {
        try await RunningServices.run(["--error-rate", "1"]) { services async throws in
            #expect(
                try await services.post("payment", "/charges", key: "a", charge("visa"))
                    == Reply(503, ["error": "Unavailable", "message": "this call was picked by --error-rate"])
            )
            #expect(try await heldAndUndone(services)[1] == [0, 0])
        }
        try await RunningServices.run(["--lost-rate", "1", "--hold", "0ms"]) { services async throws in
            await #expect(throws: HTTPClientError.remoteConnectionClosed) {
                try await services.post("payment", "/charges", key: "a", charge("visa"))
            }
            #expect(try await heldAndUndone(services)[1] == [1, 0])
        }
    }

    @Test func aLostDatabaseConnectionIsA503AtMostAndNothingIsDoneTwice() async throws {
        try await RunningServices.run(["--log-level", "critical"]) { services async throws in
            _ = try await services.post("payment", "/charges", key: "a", charge("visa"))
            try await services.disconnectDatabase()
            var replies: [Reply] = []
            repeat {
                replies.append(try await services.post("payment", "/charges", key: "b", charge("visa")))
            } while replies.last?.status == 503
            #expect(replies.removeLast() == Reply(201, ["chargeId": "c-2", "amountCents": 1999]))
            #expect(
                replies.allSatisfy {
                    $0 == Reply(503, ["error": "Unavailable", "message": "the database failed the call"])
                }
            )
            #expect(try await heldAndUndone(services)[1] == [2, 0])
        }
    }

    /// What the four services hold and have undone, in the order of the saga.
    private func heldAndUndone(_ services: RunningServices) async throws -> [JSON] {
        try await books(services).map { [$0["totals"]?["held"] ?? .null, $0["totals"]?["undone"] ?? .null] }
    }

    private func books(_ services: RunningServices) async throws -> [JSON] {
        var books: [JSON] = []
        for name in ["inventory", "payment", "shipping", "notification"] {
            let reply = try await services.get(name, "/books")
            #expect(reply.status == 200)
            books.append(reply.body)
        }
        return books
    }
}
