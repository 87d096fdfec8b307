import Testing

@testable import order_demo

@Suite struct IdempotencyKeyTests {
    @Test(arguments: [
        (#""0198c1d2:charge_payment:action""#, "0198c1d2:charge_payment:action"),
        (#"  "padded"  "#, "padded"),
        (#""a \"quoted\" back\\slash""#, #"a "quoted" back\slash"#),
    ])
    func aStructuredFieldStringIsRead(_ header: String, _ key: String) throws {
        #expect(try IdempotencyKey.parse(header, header: "Idempotency-Key") == key)
    }

    @Test(arguments: [
        ("", "must be a string in double quotes"),
        ("bare", "must be a string in double quotes"),
        ("\"", "has no closing quote"),
        ("\"open", "has no closing quote"),
        (#""a" "b""#, "has something after its closing quote"),
        (#""a";p=1"#, "has something after its closing quote"),
        (#""a\n""#, "has a backslash that escapes neither a quote nor a backslash"),
        (#""a\"#, "has a backslash that escapes neither a quote nor a backslash"),
        ("\"k\u{E9}y\"", "may hold printable ASCII characters only"),
        ("\"a\tb\"", "may hold printable ASCII characters only"),
        ("\"\"", "must hold 1 to 255 characters, not 0"),
        ("\"" + String(repeating: "k", count: 256) + "\"", "must hold 1 to 255 characters, not 256"),
    ])
    func anythingElseIsRefusedWithAReason(_ header: String, _ reason: String) {
        #expect(throws: ServiceError(400, "InvalidIdempotencyKey", "Idempotency-Key \(reason)")) {
            try IdempotencyKey.parse(header, header: "Idempotency-Key")
        }
    }
}

@Suite struct FaultsTests {
    @Test func aRateHitsThatPartOfTheCallsAndTheSameOnesAgain() {
        let faults = Faults(errorRate: 0.25, seed: 7)
        let hits = (0..<4000).filter { faults.isRefused(key: "k\($0)", attempt: 1) }
        #expect((900...1100).contains(hits.count))
        #expect(hits == (0..<4000).filter { Faults(errorRate: 0.25, seed: 7).isRefused(key: "k\($0)", attempt: 1) })
        #expect(hits != (0..<4000).filter { Faults(errorRate: 0.25, seed: 8).isRefused(key: "k\($0)", attempt: 1) })
    }

    @Test func attemptsAndFaultsAreDrawnApart() {
        let faults = Faults(errorRate: 0.5, lostRate: 0.5, seed: 1)
        let first = (0..<64).map { faults.isRefused(key: "k\($0)", attempt: 1) }
        #expect(first != (0..<64).map { faults.isRefused(key: "k\($0)", attempt: 2) })
        #expect(first != (0..<64).map { faults.isAnswerLost(key: "k\($0)", attempt: 1) })
    }

    @Test func noRateHitsNothingAndAFullOneEverything() {
        for call in 0..<1000 {
            #expect(!Faults().isRefused(key: "k\(call)", attempt: 1))
            #expect(Faults(lostRate: 1).isAnswerLost(key: "k\(call)", attempt: 1))
        }
    }
}
