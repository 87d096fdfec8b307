import SagaCore
import Testing

/// What right definitions become.
@Suite struct GoodDefinitionTests {
    private func facts(_ text: String) -> [String] {
        let parsed = DefinitionParser.parse(Array(text.utf8))
        return parsed.findings.map(\.text) + (parsed.definition.map(SagaCoreTests.facts) ?? [])
    }

    @Test func smallest() {
        #expect(
            facts(#"{"saga": "s", "steps": [{"name": "a", "action": {"noop": true}}]}"#) == [
                "saga s", "on compensation failure halt", "step a after [] uncertain",
                "  action noop 30.0s retry 5 1.0s x2.0 100.0s full +[] -[]",
            ]
        )
    }

    @Test func everyKey() {
        let text = #"""
            {"$schema": "./saga.schema.json", "saga": "order", "description": "All there is.", "input": {"type": "object"},
             "deadline": "1.5h", "onCompensationFailure": "continue",
             "services": {
               "pay": {"url": "https://${env:HOST:-pay}:8443/v1/", "description": "Takes money.",
                       "headers": {"Authorization": "Bearer ${env:TOKEN}", "X-Plain": "$${env:TOKEN}"}, "maxConcurrent": 64,
                       "rateLimit": {"calls": 100, "per": "1s"}, "circuitBreaker": false,
                       "whenOpen": "fail"},
               "ship": {"url": "http://ship", "circuitBreaker": {
                        "failureRateThreshold": 25.5, "slowCallRateThreshold": 80, "slowCallDurationThreshold": "2s",
                        "slidingWindowType": "TIME_BASED", "slidingWindowSize": 60, "minimumNumberOfCalls": 5,
                        "waitDurationInOpenState": "30s", "permittedNumberOfCallsInHalfOpenState": 2,
                        "maxWaitDurationInHalfOpenState": "5s", "enableExponentialBackoff": true,
                        "exponentialBackoffMultiplier": 2, "exponentialMaxWaitDurationInOpenState": "10m"}}},
             "steps": [
               {"name": "charge", "description": "Charges.", "after": [], "when": "${ input.total > 0 }",
                "action": {"http": {"service": "pay", "method": "PUT", "path": "/charges/${ input.id }?a=1",
                                    "query": {"q q": "a b&${ input.q }", "n": 1, "b": true},
                                    "headers": {"X-Id": "id ${ input.id }", "X-N": 1},
                                    "body": {"amount": "${ input.total }", "note": "for $${you}", "list": [1, {"x": 1.50}]}},
                           "timeout": "3s", "outcomes": {"409": "done", "500": "failed"},
                           "retry": {"maximumAttempts": 0, "initialInterval": "200ms", "backoffCoefficient": 1.5,
                                     "maximumInterval": "10s", "jitter": "equal", "retryableErrors": ["Busy"],
                                     "nonRetryableErrors": ["CardDeclined", "Saga.HTTP.402"]}},
                "compensation": {"http": {"service": "pay", "path": "/refunds", "outcomes": {"404": "done"}}, "timeout": "4s"},
                "compensateWhen": "attempted"},
               {"name": "look", "after": ["charge"], "action": {"http": {"url": "HTTP://Other.example/a/${ input.id }",
                                                                        "method": "GET"}}},
               {"name": "ship", "pivot": true, "action": {"http": {"service": "ship", "path": ""}}, "compensation": "none"},
               {"name": "tell", "action": {"http": {"url": "http://other.example:80/tell"}}},
               {"name": "end", "action": {"pass": {"charge": "${ steps.charge.output }"}}}
             ],
             "output": ["${ steps.end.output }", "${ failure.error }!"]}
            """#
        #expect(
            facts(text) == [
                "saga order", "description All there is.", #"input {"type":"object"}"#, "deadline 5400000000us",
                "on compensation failure continue",
                "service pay https://${env:HOST:-pay}:8443/v1/ Authorization=Bearer ${env:TOKEN} X-Plain=$${env:TOKEN} "
                    + "at most 64 100 per 1000000us when open fail no breaker",
                "service ship http://ship breaker 25.5% 80.0% 2.0s TIME_BASED 60 5 30.0s 2 5.0s x2.0 up to 600.0s",
                "service other.example:80 http://other.example",
                "step charge after [] attempted when { input.total > 0 }",
                #"  action PUT service 0 text("/charges/" { input.id } "?a=1") ?q q=text("a%20b%26" { input.q }) ?n="1" "#
                    + #"?b="true" X-Id: text("id " { input.id }) X-N: 1 body {amount: { input.total }, "#
                    + #"note: "for ${you}", list: [1,{"x":1.50}]} 3.0s 409=done 500=failed retry 0 0.2s x1.5 10.0s equal "#
                    + #"+["Busy"] -["CardDeclined", "Saga.HTTP.402"]"#,
                #"  compensation POST service 0 "/refunds" 4.0s 404=done retry 12 1.0s x2.0 300.0s full +[] -[]"#,
                #"step look after ["charge"] uncertain"#,
                #"  action GET service 2 text("/a/" { input.id }) 30.0s retry 5 1.0s x2.0 100.0s full +[] -[]"#,
                #"step ship after ["look"] uncertain pivot"#,
                #"  action POST service 1 "" 30.0s retry 5 1.0s x2.0 100.0s full +[] -[]"#,
                #"step tell after ["ship"] uncertain"#,
                #"  action POST service 2 "/tell" 30.0s retry 12 1.0s x2.0 300.0s full +[] -[]"#,
                #"step end after ["tell"] uncertain"#,
                "  action pass {charge: { steps.charge.output }} 30.0s retry 12 1.0s x2.0 300.0s full +[] -[]",
                #"output [{ steps.end.output }, text({ failure.error } "!")]"#,
            ]
        )
    }

    @Test func defaultsFillWhatAStepLeavesOut() {
        let text = #"""
            {"saga": "s", "defaults": {"timeout": "7s", "compensateWhen": "succeeded",
               "retry": {"maximumAttempts": 3, "initialInterval": "20ms", "nonRetryableErrors": ["No"]},
               "compensation": {"timeout": "9s", "retry": {"maximumAttempts": 99, "initialInterval": "10m", "jitter": "none"}}},
             "steps": [
               {"name": "a", "action": {"noop": {}}, "compensation": {"noop": {}}},
               {"name": "b", "action": {"noop": {}, "timeout": "1s", "retry": {"initialInterval": "1s", "nonRetryableErrors": []}},
                "compensation": {"noop": {}, "timeout": "2s", "retry": {"maximumAttempts": 1, "initialInterval": "1s"}},
                "compensateWhen": "uncertain"},
               {"name": "c", "pivot": true, "action": {"noop": {}}},
               {"name": "d", "action": {"noop": {}, "retry": {"backoffCoefficient": 3}}}]}
            """#
        #expect(
            facts(text) == [
                "saga s", "on compensation failure halt", "step a after [] succeeded",
                #"  action noop 7.0s retry 3 0.02s x2.0 2.0s full +[] -["No"]"#,
                "  compensation noop 9.0s retry 99 600.0s x2.0 600.0s none +[] -[]",
                #"step b after ["a"] uncertain"#, "  action noop 1.0s retry 3 1.0s x2.0 100.0s full +[] -[]",
                "  compensation noop 2.0s retry 1 1.0s x2.0 300.0s none +[] -[]",
                #"step c after ["b"] succeeded pivot"#, #"  action noop 7.0s retry 3 0.02s x2.0 2.0s full +[] -["No"]"#,
                #"step d after ["c"] succeeded"#, "  action noop 7.0s retry 99 600.0s x3.0 600.0s none +[] -[]",
            ]
        )
    }

    @Test func oddNamesAreNames() {
        let names = ["constructor", "__proto__", "in", "null", "a-b_c", "A" + String(repeating: "9", count: 62)]
        let steps = names.map { #"{"name": "\#($0)", "action": {"pass": "${ saga.id }"}}"# }.joined(separator: ",")
        let output = names.map { #""${ steps['\#($0)'].output }""# }.joined(separator: ",")
        let parsed = DefinitionParser.parse(
            Array(#"{"saga": "toString", "steps": [\#(steps)], "output": [\#(output)]}"#.utf8)
        )
        // A name begins with a letter.
        #expect(parsed.findings.map(\.code) == ["invalid-name"])
        #expect(parsed.name == "toString")
    }

    @Test func digestIsThatOfTheCanonicalJSON() throws {
        let first = DefinitionParser.parse(Array(#"{"saga":"s","steps":[{"name":"a","action":{"pass":1.0}}]}"#.utf8))
        let second = DefinitionParser.parse(
            Array("{ \"steps\": [ {\"action\": {\"pass\": 1.0}, \"name\": \"\\u0061\"} ],\n \"saga\": \"s\" }".utf8)
        )
        let third = DefinitionParser.parse(Array(#"{"saga":"s","steps":[{"name":"a","action":{"pass":1.00}}]}"#.utf8))
        // printf '{"saga":"s","steps":[{"action":{"pass":1.0},"name":"a"}]}' | sha256sum
        #expect(
            try #require(first.definition).digest.description
                == "f4577b08e3a822e7c5f3f81596ece29a8ec6b4c886aa9f01efc174c64c0eb9df"
        )
        #expect(first.definition?.digest == second.definition?.digest)
        #expect(first.definition?.digest != third.definition?.digest)
        #expect(first.definition?.digest.version == "f4577b08e3a8")
    }
}
