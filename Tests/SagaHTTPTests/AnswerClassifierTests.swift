import JSON
import NIOHTTP1
import SagaCore
import SagaHTTP
import Testing

@Suite struct AnswerClassifierTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var status: Int
        var headers: HTTPHeaders = [:]
        var body = ""
        var outcomes: [Int: Outcome] = [:]
        var answer: Answer

        var testDescription: String { "\(status) \(headers) \(body.prefix(60)) \(outcomes)" }
    }

    static let rowsByStatus: [Row] = [
        Row(status: 200, body: #"{"chargeId":"c-1"}"#, answer: done(#"{"chargeId":"c-1"}"#)),
        Row(status: 201, body: " \r\n[1, 0.10]\n", answer: done("[1, 0.10]")),
        Row(status: 200, body: "null", answer: done("null")),
        Row(status: 204, answer: done("null")),
        Row(status: 200, answer: done("null")),
        Row(status: 202, body: " \n", answer: done("null")),
        Row(status: 299, body: "true", answer: done("true")),
        Row(
            status: 302,
            answer: .unknown(
                refusal("Saga.HTTP.302", "HTTP 302 Found: redirects are not followed", retry: false)
            )
        ),
        Row(
            status: 304,
            answer: .unknown(
                refusal("Saga.HTTP.304", "HTTP 304 Not Modified: redirects are not followed", retry: false)
            )
        ),
        Row(status: 400, answer: .failed(refusal("Saga.HTTP.400", "HTTP 400 Bad Request", retry: false))),
        Row(status: 402, answer: .failed(refusal("Saga.HTTP.402", "HTTP 402 Payment Required", retry: false))),
        Row(status: 404, answer: .failed(refusal("Saga.HTTP.404", "HTTP 404 Not Found", retry: false))),
        Row(status: 408, answer: .unknown(refusal("Saga.HTTP.408", "HTTP 408 Request Timeout", retry: true))),
        Row(status: 409, answer: .failed(refusal("Saga.HTTP.409", "HTTP 409 Conflict", retry: false))),
        Row(status: 425, answer: .unknown(refusal("Saga.HTTP.425", "HTTP 425", retry: true))),
        Row(
            status: 429,
            answer: .failed(refusal("Saga.HTTP.429", "HTTP 429 Too Many Requests", retry: true, health: .failure))),
        Row(status: 499, answer: .failed(refusal("Saga.HTTP.499", "HTTP 499", retry: false))),
        Row(status: 500, answer: .unknown(refusal("Saga.HTTP.500", "HTTP 500 Internal Server Error", retry: true))),
        Row(status: 501, answer: .failed(refusal("Saga.HTTP.501", "HTTP 501 Not Implemented", retry: false))),
        Row(status: 502, answer: .unknown(refusal("Saga.HTTP.502", "HTTP 502 Bad Gateway", retry: true))),
        Row(status: 503, answer: .unknown(refusal("Saga.HTTP.503", "HTTP 503 Service Unavailable", retry: true))),
        Row(status: 504, answer: .unknown(refusal("Saga.HTTP.504", "HTTP 504 Gateway Timeout", retry: true))),
        Row(status: 599, answer: .unknown(refusal("Saga.HTTP.599", "HTTP 599", retry: true))),
        Row(status: 600, answer: .unknown(refusal("Saga.HTTP.600", "HTTP 600", retry: false))),
        Row(status: 101, answer: .unknown(refusal("Saga.HTTP.101", "HTTP 101 Switching Protocols", retry: false))),
    ]

    @Test("every row of the outcome table", arguments: rowsByStatus)
    func status(_ row: Row) {
        #expect(classify(row) == row.answer)
    }

    static let unreadable: [(body: [UInt8], what: String)] = [
        (Array("<html>".utf8), "not JSON"),
        (Array("{\"a\":1".utf8), "cut short"),
        (Array("{} {}".utf8), "two values"),
        (Array(#"{"a":"\ud800"}"#.utf8), "lone surrogate"),
        ([0x22, 0xFF, 0x22], "not UTF-8"),
        ([0xEF, 0xBB, 0xBF] + Array("{}".utf8), "byte order mark"),
        (Array(String(repeating: "[", count: 100_000).utf8), "too deep"),
        ([0x1F, 0x8B, 0x08, 0x00], "gzip"),
    ]

    @Test("a 2xx that can't be read is unknown and not tried again", arguments: unreadable)
    func badResponse(_ sample: (body: [UInt8], what: String)) throws {
        let cause = try #require(throws: JSONError.self) {
            try JSON.validate(sample.body, limits: JSONLimits(maximumDepth: 100))
        }
        let answer = AnswerClassifier.classify(status: 200, headers: [:], body: .whole(sample.body))
        #expect(answer == .unknown(refusal("Saga.BadResponse", "the answer isn't JSON: \(cause)", retry: false)))
    }

    @Test("an answer that couldn't be read back from its event is a bad response") func deepAnswer() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(classify(Row(status: 200, body: nested(100), answer: done("null"))) == done(nested(100)))
        guard case .unknown(let deep) = classify(Row(status: 200, body: nested(101), answer: done("null"))) else {
            Issue.record("taken")
            return
        }
        #expect(deep.error == "Saga.BadResponse")
    }

    @Test(
        "a U+0000 in any spelling that JSON has is a bad response; its look-alike isn't",
        arguments: [#"{"a":"x\u0000"}"#, #"{"\u0000":1}"#]
    )
    func zeroCharacter(body: String) {
        let message = "the answer holds the character U+0000, which can't be stored"
        #expect(
            classify(Row(status: 200, body: body, answer: done("null")))
                == .unknown(refusal("Saga.BadResponse", message, retry: false))
        )
        #expect(
            classify(Row(status: 200, body: #"{"a":"\\u0000"}"#, answer: done("null"))) == done(#"{"a":"\\u0000"}"#)
        )
    }

    @Test func overLimit() {
        let answers = [200, 402, 503].map {
            AnswerClassifier.classify(status: $0, headers: [:], body: .overLimit(1_048_576))
        }
        #expect(
            answers == [
                .unknown(refusal("Saga.BadResponse", "the answer is longer than 1048576 bytes", retry: false)),
                .failed(refusal("Saga.HTTP.402", "HTTP 402 Payment Required", retry: false)),
                .unknown(refusal("Saga.HTTP.503", "HTTP 503 Service Unavailable", retry: true)),
            ]
        )
    }

    static let changedOutcomes: [Row] = [
        Row(status: 409, body: #"{"chargeId":"c-1"}"#, outcomes: [409: .done], answer: done(#"{"chargeId":"c-1"}"#)),
        Row(status: 404, outcomes: [404: .done], answer: done("null")),
        Row(status: 304, outcomes: [304: .done], answer: done("null")),
        Row(
            status: 500,
            outcomes: [500: .failed],
            answer: .failed(
                refusal("Saga.HTTP.500", "HTTP 500 Internal Server Error", retry: true)
            )
        ),
        Row(
            status: 404,
            outcomes: [404: .unknown],
            answer: .unknown(
                refusal("Saga.HTTP.404", "HTTP 404 Not Found", retry: false)
            )
        ),
        Row(
            status: 429,
            outcomes: [429: .unknown],
            answer: .unknown(
                refusal("Saga.HTTP.429", "HTTP 429 Too Many Requests", retry: true, health: .failure)
            )
        ),
        Row(
            status: 202,
            body: #"{"error":"Queued","message":"later"}"#,
            outcomes: [202: .failed],
            answer: .failed(
                refusal("Queued", "later", retry: false)
            )
        ),
        Row(status: 200, body: "{}", outcomes: [409: .done], answer: done("{}")),
        Row(
            status: 409,
            outcomes: [500: .done],
            answer: .failed(
                refusal("Saga.HTTP.409", "HTTP 409 Conflict", retry: false)
            )
        ),
    ]

    @Test("a definition's outcomes change the outcome and nothing else", arguments: changedOutcomes)
    func outcomes(_ row: Row) {
        #expect(classify(row) == row.answer)
    }

    @Test func unreadableBodyOfAStatusCalledDone() {
        guard
            case .unknown(let told) = classify(
                Row(status: 409, body: "already", outcomes: [409: .done], answer: done("null"))
            )
        else {
            Issue.record("not unknown")
            return
        }
        #expect(told.error == "Saga.BadResponse")
        #expect(!told.isRetryable)
    }

    private func classify(_ row: Row) -> Answer {
        AnswerClassifier.classify(
            status: row.status,
            headers: row.headers,
            body: .whole(Array(row.body.utf8)),
            outcomes: row.outcomes
        )
    }
}
