import NIOHTTP1
import SagaCore
import Testing

@testable import SagaHTTP

@Suite struct ErrorDocumentTests {
    static let plain: HTTPHeaders = ["Content-Type": "application/json"]
    static let problem: HTTPHeaders = ["content-type": "application/problem+json; charset=utf-8"]
    static let longest = String(repeating: "a", count: 128)

    static let names: [(body: String, headers: HTTPHeaders, name: String?)] = [
        (#"{"error":"CardDeclined"}"#, plain, "CardDeclined"),
        (#"{"error":"card.declined:too_often-1"}"#, plain, "card.declined:too_often-1"),
        (#" {"error":"CardDeclined"}"#, [:], "CardDeclined"),
        (#"{"error":"\#(longest)"}"#, plain, longest),
        (#"{"error":"\#(longest)a"}"#, plain, nil),
        (#"{"error":""}"#, plain, nil),
        (#"{"error":"card declined"}"#, plain, nil),
        (#"{"error":"gesperrt-ü"}"#, plain, nil),
        (#"{"error":"Saga.Timeout"}"#, plain, nil),
        (#"{"error":"Saga."}"#, plain, nil),
        (#"{"error":"Sagas.Full"}"#, plain, "Sagas.Full"),
        (#"{"error":{"type":"card_error"}}"#, plain, nil),
        (#"{"error":17}"#, plain, nil),
        (#"["CardDeclined"]"#, plain, nil),
        (#""CardDeclined""#, plain, nil),
        ("CardDeclined", plain, nil),
        ("", plain, nil),
        (#"{"error":"CardDeclined""#, plain, nil),
        (#"{"type":"https://example.com/probs/out-of-credit"}"#, problem, "out-of-credit"),
        (#"{"type":"https://example.com/probs/out-of-credit"}"#, plain, "out-of-credit"),
        (#"{"type":"https://example.com/probs/out-of-credit/?v=/2#/x"}"#, problem, "out-of-credit"),
        (#"{"type":"/probs/out-of-credit"}"#, plain, "out-of-credit"),
        (#"{"type":"out-of-credit"}"#, problem, "out-of-credit"),
        (#"{"type":"out-of-credit"}"#, plain, nil),
        (#"{"type":"urn:problem:out-of-credit"}"#, problem, "problem:out-of-credit"),
        (#"{"type":"about:blank"}"#, problem, nil),
        (#"{"type":"https://example.com"}"#, problem, nil),
        (#"{"type":"https://example.com/"}"#, problem, nil),
        (#"{"type":"https://example.com/Saga.Timeout"}"#, problem, nil),
        (#"{"type":"https://example.com/out%20of%20credit"}"#, problem, nil),
        (#"{"type":""}"#, problem, nil),
        (#"{"error":"NoStock","type":"https://example.com/other"}"#, problem, "NoStock"),
        (#"{"error":"no stock!","type":"https://example.com/no-stock"}"#, problem, "no-stock"),
    ]

    @Test("names of errors", arguments: names)
    func name(_ sample: (body: String, headers: HTTPHeaders, name: String?)) {
        #expect(ErrorDocument(body: Array(sample.body.utf8), headers: sample.headers).name == sample.name)
    }

    static let messages: [(body: String, message: String?)] = [
        (#"{"message":"no"}"#, "no"),
        (#"{"message":"no","detail":"d","title":"t"}"#, "no"),
        (#"{"detail":"d","title":"t"}"#, "d"),
        (#"{"title":"t"}"#, "t"),
        (#"{"message":"","title":"t"}"#, "t"),
        (#"{"message":["no"],"detail":"d"}"#, "d"),
        (#"{"message":"a\u0000b\u001b[2Jc\nd\u202ee"}"#, "a b [2Jc d e"),
        (#"{"message":"größer 😀"}"#, "größer 😀"),
        ("{}", nil),
    ]

    @Test("messages", arguments: messages)
    func message(_ sample: (body: String, message: String?)) {
        #expect(ErrorDocument(body: Array(sample.body.utf8), headers: [:]).message == sample.message)
    }

    @Test func longMessage() {
        let body = #"{"message":"\#(String(repeating: "ä", count: 1_001))"}"#
        let message = ErrorDocument(body: Array(body.utf8), headers: [:]).message
        #expect(message == String(repeating: "ä", count: 1_000))
    }

    static let excerpts: [(body: [UInt8], message: String)] = [
        (Array("upstream connect\r\n\terror\u{1B}[0m".utf8), "HTTP 502 Bad Gateway: upstream connect error [0m"),
        (Array(#"{"code": 5}"#.utf8), #"HTTP 502 Bad Gateway: {"code": 5}"#),
        (
            Array(#"{"errors": [{"input": {"cardNumber": "4111", "sku": 0.10}}]}"#.utf8),
            #"HTTP 502 Bad Gateway: {"errors":[{"input":{"cardNumber":"***","sku":0.10}}]}"#
        ),
        (
            Array(#"{"message": "can't reach postgres://app:geheim@db/shop"}"#.utf8),
            "can't reach postgres://***@db/shop"
        ),
        (Array("see https://u:p@h/a?token=t".utf8), "HTTP 502 Bad Gateway: see https://***@h/a?token=***"),
        ([0x1F, 0x8B, 0x08, 0xFF, 0x00, 0x41], "HTTP 502 Bad Gateway"),
        (Array(" \n ".utf8), "HTTP 502 Bad Gateway"),
        (
            Array(String(repeating: "x", count: 5_000).utf8),
            "HTTP 502 Bad Gateway: " + String(repeating: "x", count: 200)
        ),
        (
            Array("x".utf8) + Array(String(repeating: "€", count: 5_000).utf8),
            "HTTP 502 Bad Gateway: x" + String(repeating: "€", count: 199)
        ),
    ]

    @Test("a body without a message of its own gives its beginning", arguments: excerpts)
    func excerpt(_ sample: (body: [UInt8], message: String)) {
        #expect(
            AnswerClassifier.classify(status: 502, headers: [:], body: .whole(sample.body))
                == .unknown(refusal("Saga.HTTP.502", sample.message, retry: true))
        )
    }
}
