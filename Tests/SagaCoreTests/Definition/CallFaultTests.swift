import SagaCore
import Testing

/// Every fault of services and calls is found, by its code, at its place.
@Suite struct CallFaultTests {
    @Test(arguments: [
        BadDefinition("wrong-kind", service: "▸7"),
        BadDefinition("missing-key", service: "▸{}"),
        BadDefinition("unknown-key", service: #"{"url": "http://a", ▸"timeout": "1s"}"#),
        BadDefinition("wrong-kind", service: #"{"url": ▸7}"#),
        BadDefinition("invalid-url", service: #"{"url": ▸""}"#),
        BadDefinition("invalid-url", service: #"{"url": ▸"ftp://a"}"#),
        BadDefinition("invalid-url", service: #"{"url": ▸"http://"}"#),
        BadDefinition("invalid-url", service: #"{"url": ▸"http://a:0"}"#),
        BadDefinition("invalid-url", service: #"{"url": ▸"http://a:65536"}"#),
        BadDefinition("invalid-url", service: #"{"url": ▸"http://a b"}"#),
        BadDefinition("invalid-url", service: #"{"url": ▸"http://me:secret@a"}"#),
        BadDefinition("invalid-url", service: #"{"url": ▸"http://a/b c"}"#),
        BadDefinition("invalid-url", service: #"{"url": ▸"http://a?x=1"}"#),
        BadDefinition("invalid-url", service: #"{"url": ▸"http://a#x"}"#),
        BadDefinition("invalid-url", service: #"{"url": ▸"http://[::1"}"#),
        BadDefinition("invalid-url", service: #"{"url": ▸"${env:X:-localhost:70}"}"#),
        BadDefinition("", service: #"{"url": "http://[::1]:80/base/"}"#),
        BadDefinition("", service: #"{"url": "${env:URL}"}"#),
        BadDefinition("", service: #"{"url": "${env:SCHEME}://${env:HOST}:${env:PORT:-80}/v1"}"#),
        BadDefinition("invalid-value", service: #"{"url": "http://a", "whenOpen": ▸"wait"}"#),
        BadDefinition(
            "no-effect no-effect",
            service: #"{"url": "http://a", "circuitBreaker": {▸"exponentialBackoffMultiplier": 2, "#
                + #"▸"exponentialMaxWaitDurationInOpenState": "2m"}}"#),
        BadDefinition(
            "no-effect",
            service: #"{"url": "http://a", "circuitBreaker": {"enableExponentialBackoff": false, "#
                + #"▸"exponentialBackoffMultiplier": 2}}"#),
        // What is wrong with the switch is told, not what follows from it.
        BadDefinition(
            "wrong-kind",
            service: #"{"url": "http://a", "circuitBreaker": {"enableExponentialBackoff": ▸"true", "#
                + #""exponentialBackoffMultiplier": 2}}"#),
        BadDefinition(
            "out-of-range",
            service: #"{"url": "http://a", "circuitBreaker": {"enableExponentialBackoff": true, "#
                + #""exponentialMaxWaitDurationInOpenState": ▸"59s"}}"#),
        BadDefinition("invalid-environment", service: #"{"url": "http://a▸${env:}"}"#),
        BadDefinition("invalid-environment", service: #"{"url": "http://a▸${env:X-Y}"}"#),
        BadDefinition("invalid-environment", service: #"{"url": "http://a▸${env:X:=y}"}"#),
        BadDefinition("invalid-environment", service: #"{"url": "http://a▸${env:X"}"#),
        BadDefinition(
            "invalid-environment invalid-environment",
            service: #"{"url": "http://a", "headers": {"A": "\u00e9▸${ input.x }▸${env: X}"}}"#
        ),
        BadDefinition(
            "forbidden-header forbidden-header forbidden-header forbidden-header forbidden-header",
            service: #"{"url": "http://a", "headers": {▸"saga-id": "1", ▸"Idempotency-Key": "1", ▸"TraceParent": "1", "#
                + #"▸"Host": "a", ▸"Content-length": "1"}}"#
        ),
        BadDefinition(
            "invalid-header duplicate-header invalid-header wrong-kind",
            service: #"{"url": "http://a", "headers": {▸"A B": "1", "C": "1", ▸"c": "2", "D": ▸"a\nb", "E": ▸1}}"#
        ),
        BadDefinition("out-of-range", service: #"{"url": "http://a", "maxConcurrent": ▸0}"#),
        BadDefinition("missing-key", service: #"{"url": "http://a", "rateLimit": ▸{"calls": 1}}"#),
        BadDefinition(
            "out-of-range invalid-duration",
            service: #"{"url": "http://a", "rateLimit": {"calls": ▸0, "per": ▸"0s"}}"#
        ),
        BadDefinition("invalid-value", service: #"{"url": "http://a", "circuitBreaker": ▸true}"#),
        BadDefinition("wrong-kind", service: #"{"url": "http://a", "circuitBreaker": ▸null}"#),
        BadDefinition(
            "out-of-range out-of-range invalid-duration invalid-value out-of-range unknown-key",
            service:
                #"{"url": "http://a", "circuitBreaker": {"failureRateThreshold": ▸0, "slowCallRateThreshold": ▸100.1, "#
                + #""slowCallDurationThreshold": ▸"0s", "slidingWindowType": ▸"count_based", "slidingWindowSize": ▸0, "#
                + #"▸"minimumCalls": 1, "maxWaitDurationInHalfOpenState": 0}}"#
        ),
    ])
    func services(_ bad: BadDefinition) {
        let text = MarkedText(bad.text)
        #expect(text.found == text.expected(bad.codes))
    }

    @Test func servicesAsAWhole() {
        for (codes, marked) in [
            ("wrong-kind", #"{"saga": "s", "services": ▸[], "steps": [{"name": "a", "action": {"noop": {}}}]}"#),
            (
                "invalid-name",
                #"{"saga": "s", "services": {▸"a b": {"url": "http://a"}}, "steps": [{"name": "a", "action": {"noop": {}}}]}"#
            ),
        ] {
            let text = MarkedText(marked)
            #expect(text.found == text.expected(codes))
        }
    }

    @Test(arguments: [
        BadDefinition("missing-key missing-key", step: #""action": {"http": ▸▸{}}, "compensation": "none""#),
        BadDefinition("unknown-service", http: #""service": ▸"pat", "path": "/""#),
        BadDefinition("unknown-key", http: #""service": "pay", "path": "/", ▸"params": {}"#),
        BadDefinition("invalid-value", http: #""service": "pay", "path": "/", "method": ▸"post""#),
        BadDefinition("invalid-path", http: #""service": "pay", "path": ▸"charges""#),
        BadDefinition("invalid-path", http: #""service": "pay", "path": ▸"${ input.path }""#),
        BadDefinition("invalid-path", http: #""service": "pay", "path": ▸"/a b""#),
        BadDefinition("invalid-path", http: #""service": "pay", "path": ▸"/${ input.a }/100%""#),
        BadDefinition("invalid-path", http: #""service": "pay", "path": ▸"/a#b""#),
        BadDefinition("invalid-expression", http: #""service": "pay", "path": "/${ input. ▸}""#),
        BadDefinition("wrong-kind", http: #""service": "pay", "path": ▸7"#),
        BadDefinition("conflicting-keys", http: #""url": "http://a/b", ▸"service": "pay""#),
        BadDefinition("invalid-url", http: #""url": ▸"http:/a""#),
        BadDefinition("invalid-url", http: #""url": ▸"http://${ input.host }/a""#),
        BadDefinition("invalid-url", http: #""url": ▸"http://a${ input.host }""#),
        BadDefinition("invalid-environment", http: #""url": "http://${▸env:HOST}/a""#),
        BadDefinition("wrong-kind", http: #""service": "pay", "path": "/", "query": ▸[]"#),
        BadDefinition(
            "invalid-name wrong-kind wrong-kind",
            http: #""service": "pay", "path": "/", "query": {▸"": "1", "a": ▸null, "b": ▸["1"], "c": 1, "d": true}"#
        ),
        BadDefinition(
            "forbidden-header invalid-header wrong-kind",
            http: #""service": "pay", "path": "/", "headers": {▸"Saga-Step": "a", "A": ▸"${ input.x }\r", "B": ▸null}"#
        ),
        BadDefinition(
            "out-of-range out-of-range out-of-range invalid-value wrong-kind",
            http: #""service": "pay", "path": "/", "outcomes": {▸"99": "done", ▸"600": "done", ▸"4xx": "done", "#
                + #""409": ▸"ok", "500": ▸1, "404": "unknown"}"#
        ),
        BadDefinition(
            "conflicting-keys",
            step:
                #""action": {"outcomes": {"409": "done"}, "http": {"service": "pay", "path": "/", ▸"outcomes": {}}}, "#
                + #""compensation": "none""#
        ),
    ])
    func calls(_ bad: BadDefinition) {
        let text = MarkedText(bad.text)
        #expect(text.found == text.expected(bad.codes))
    }
}
