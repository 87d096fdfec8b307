import JSON
import Testing

/// What a service makes of requests that are wrong: one JSON error each, no effect, and it goes on serving.
@Suite(.serialized, .timeLimit(.minutes(3))) struct BadRequestTests {
    typealias Reply = RunningServices.Reply

    @Test func badBodiesAreNamedAndHaveNoEffect() async throws {
        let cases: [(service: String, path: String, body: String, message: String)] = [
            ("payment", "/charges", "[]", "the body must be a JSON object"),
            ("payment", "/charges", "null", "the body must be a JSON object"),
            ("payment", "/charges", "{}", "\"orderId\" is missing"),
            ("payment", "/charges", #"{"orderId": null}"#, "\"orderId\" is missing"),
            ("payment", "/charges", #"{"orderId": 7}"#, "\"orderId\" must be a string"),
            ("payment", "/charges", #"{"orderId": ""}"#, "\"orderId\" must have 1 to 255 bytes and no NUL"),
            ("payment", "/charges", #"{"orderId": "a\u0000b"}"#, "\"orderId\" must have 1 to 255 bytes and no NUL"),
            ("payment", "/charges", #"{"orderId": "o", "card": "v"}"#, "\"amountCents\" is missing"),
            (
                "payment", "/charges", #"{"orderId": "o", "card": "v", "amountCents": 1.5}"#,
                "\"amountCents\" must be a whole number from 1 to 100000000000"
            ),
            (
                "payment", "/charges", #"{"orderId": "o", "card": "v", "amountCents": -1}"#,
                "\"amountCents\" must be a whole number from 1 to 100000000000"
            ),
            (
                "payment", "/charges", #"{"orderId": "o", "card": "v", "amountCents": 99999999999999999999999}"#,
                "\"amountCents\" must be a whole number from 1 to 100000000000"
            ),
            (
                "inventory", "/reservations", #"{"orderId": "o", "items": []}"#,
                "\"items\" must be a list of 1 to 100 objects"
            ),
            ("inventory", "/reservations", #"{"orderId": "o", "items": [1]}"#, "\"items\" must be a list of objects"),
            (
                "inventory", "/reservations", #"{"orderId": "o", "items": [{"sku": "a", "quantity": 0}]}"#,
                "\"quantity\" must be a whole number from 1 to 1000000"
            ),
            ("shipping", "/shipments", #"{"orderId": "o"}"#, "\"country\" is missing"),
            ("notification", "/confirmations", #"{"orderId": "o"}"#, "\"customer\" is missing"),
        ]
        try await RunningServices.run { services async throws in
            for (service, path, body, message) in cases {
                let reply = try await services.send(
                    service,
                    .POST,
                    path,
                    headers: [("Idempotency-Key", "\"k\"")],
                    body: Array(body.utf8)
                )
                #expect(reply == Reply(400, ["error": "BadRequest", "message": .string(message)]), "\(body)")
            }
            for body in ["", "{", "{\"orderId\": \"\u{FFFD}\"", String(repeating: "[", count: 10_000)] {
                let reply = try await services.send(
                    "payment",
                    .POST,
                    "/charges",
                    headers: [("Idempotency-Key", "\"k\"")],
                    body: Array(body.utf8)
                )
                #expect(reply.status == 400)
                #expect(reply.body["error"] == "BadRequest")
            }
            let reply = try await services.send(
                "payment",
                .POST,
                "/charges",
                headers: [("Idempotency-Key", "\"k\"")],
                body: Array(repeating: UInt8(ascii: " "), count: 100_000)
            )
            #expect(reply == Reply(413, ["error": "ContentTooLarge", "message": "a body has at most 65536 bytes"]))
            #expect(
                try await services.get("payment", "/books").body
                    == ["service": "payment", "orders": [], "totals": ["held": 0, "undone": 0, "heldCents": 0]]
            )
        }
    }

    @Test func badHeadersAndPathsAreNamed() async throws {
        let charge: [UInt8] = Array(#"{"orderId": "o", "card": "v", "amountCents": 1}"#.utf8)
        try await RunningServices.run { services async throws in
            let replies = [
                try await services.send("payment", .POST, "/charges", headers: [], body: charge),
                try await services.send(
                    "payment",
                    .POST,
                    "/charges",
                    headers: [("Idempotency-Key", "bare")],
                    body: charge
                ),
                try await services.send(
                    "payment",
                    .POST,
                    "/refunds",
                    headers: [("Idempotency-Key", "\"k\""), ("Saga-Compensates", "\"\"")],
                    body: charge
                ),
                try await services.send("payment", .POST, "/nowhere", headers: [], body: charge),
                try await services.send("payment", .DELETE, "/charges", headers: [], body: nil),
            ]
            #expect(
                replies == [
                    Reply(
                        400,
                        ["error": "MissingIdempotencyKey", "message": "a POST needs an Idempotency-Key header"]
                    ),
                    Reply(
                        400,
                        [
                            "error": "InvalidIdempotencyKey",
                            "message": "Idempotency-Key must be a string in double quotes",
                        ]
                    ),
                    Reply(
                        400,
                        [
                            "error": "InvalidIdempotencyKey",
                            "message": "Saga-Compensates must hold 1 to 255 characters, not 0",
                        ]
                    ),
                    Reply(404, ["error": "NotFound", "message": "Not Found"]),
                    Reply(404, ["error": "NotFound", "message": "Not Found"]),
                ]
            )
            for name in ["inventory", "payment", "shipping", "notification"] {
                #expect(
                    try await services.get(name, "/health") == Reply(200, ["service": .string(name), "status": "ok"])
                )
            }
        }
    }
}
