import JSON
import SagaCore
import Testing

/// The settings of a service as they are stored.
@Suite struct ServiceSettingsTests {
    private static let defaults =
        #"{"circuitBreaker":{"failureRateThreshold":50,"slowCallRateThreshold":100,"slowCallDurationThreshold":"1m","#
        + #""slidingWindowType":"COUNT_BASED","slidingWindowSize":20,"minimumNumberOfCalls":10,"#
        + #""waitDurationInOpenState":"1m","permittedNumberOfCallsInHalfOpenState":3,"#
        + #""maxWaitDurationInHalfOpenState":"0s","enableExponentialBackoff":false,"#
        + #""exponentialBackoffMultiplier":1.5},"whenOpen":"defer"}"#

    @Test func defaultsAreWrittenOut() throws {
        #expect(ServiceSettings().json.text == Self.defaults)
        #expect(try ServiceSettings(json: RawJSON(validating: "{}")) == ServiceSettings())
    }

    @Test func everythingComesBack() throws {
        var breaker = CircuitBreakerSettings()
        breaker.failureRateThreshold = 33.3
        breaker.slowCallRateThreshold = 0.1
        breaker.slowCallDurationThreshold = TimeSpan(microseconds: 1)
        breaker.slidingWindowType = .timeBased
        breaker.slidingWindowSize = 100_000
        breaker.minimumNumberOfCalls = 1
        breaker.waitDurationInOpenState = TimeSpan(microseconds: 1_234_567)
        breaker.permittedNumberOfCallsInHalfOpenState = 7
        breaker.maxWaitDurationInHalfOpenState = TimeSpan(microseconds: TimeSpan.longestWritten.microseconds - 1)
        breaker.enableExponentialBackoff = true
        breaker.exponentialBackoffMultiplier = 1.25
        breaker.exponentialMaxWaitDurationInOpenState = .longestWritten
        let all = [
            ServiceSettings(
                maxConcurrent: 1_000_000, rateLimit: RateLimit(calls: 1_000_000_000, per: .milliseconds(1)),
                circuitBreaker: breaker, whenOpen: .fail),
            ServiceSettings(maxConcurrent: 1, circuitBreaker: nil),
        ]
        for settings in all {
            let json = settings.json
            #expect(try ServiceSettings(json: json) == settings)
            #expect(try ServiceSettings(json: json).json == json)
        }
    }

    @Test func aDefinitionsServiceIsRead() throws {
        let settings = try ServiceSettings(
            json: RawJSON(
                validating:
                    #"{"url": "http://x", "headers": {"A": "${env:X}"}, "description": "d", "maxConcurrent": 5, "#
                    + #""rateLimit": {"calls": 3, "per": "1.5s", "burst": 9}, "circuitBreaker": {"later": 1}, "#
                    + #""whenOpen": "fail", "newKey": [1]}"#))
        #expect(
            settings
                == ServiceSettings(
                    maxConcurrent: 5, rateLimit: RateLimit(calls: 3, per: .milliseconds(1_500)), whenOpen: .fail))
    }

    @Test(arguments: [
        ("7", "the settings aren't an object"), ("null", "the settings aren't an object"),
        (#"{"maxConcurrent": 0}"#, "`maxConcurrent` must be a whole number from 1 to 1000000"),
        (#"{"rateLimit": {"calls": 1}}"#, "`rateLimit` has no `per`"),
        (#"{"unknown": 1, "whenOpen": "x"}"#, "`x` is not a value of `whenOpen`"),
        (
            #"{"circuitBreaker": {"exponentialMaxWaitDurationInOpenState": "1s"}}"#,
            "`exponentialMaxWaitDurationInOpenState` (1s) is shorter than `waitDurationInOpenState` (1m)"
        ),
    ])
    func whatTheValidatorRefusesIsRefused(_ text: String, _ message: String) throws {
        let json = try RawJSON(validating: text)
        #expect(throws: ServiceDocumentError(message)) { try ServiceSettings(json: json) }
    }

    @Test func garbageIsRefused() {
        for text in ["", "{", "[", #"{"maxConcurrent": 1"#, "\u{0}"] {
            #expect(throws: ServiceDocumentError.self) {
                try ServiceSettings(json: RawJSON(unchecked: Array(text.utf8)))
            }
        }
    }

    @Test func aServiceHasThem() throws {
        let text =
            #"{"saga": "s", "services": {"x": {"url": "http://x", "maxConcurrent": 2, "whenOpen": "fail"}}, "#
            + #""steps": [{"name": "a", "compensation": "none", "action": {"http": {"service": "x", "path": "/"}}}]}"#
        let definition = try #require(DefinitionParser.parse(Array(text.utf8)).definition)
        #expect(definition.services.map(\.settings) == [ServiceSettings(maxConcurrent: 2, whenOpen: .fail)])
    }
}
