import NIOHTTP1
import SagaCore
import Testing

@testable import SagaHTTP

@Suite struct RetryAfterTests {
    static let date = "Sun, 06 Nov 1994 08:49:37 GMT"

    static let waits: [(retryAfter: String, date: String?, wait: TimeSpan?)] = [
        ("0", nil, .zero),
        ("120", nil, .seconds(120)),
        (" 7\t", nil, .seconds(7)),
        ("86400", nil, .seconds(86_400)),
        ("86401", nil, .seconds(86_400)),
        ("99999999999999999999999999", nil, .seconds(86_400)),
        ("-1", nil, nil),
        ("+1", nil, nil),
        ("1.5", nil, nil),
        ("soon", date, nil),
        ("", date, nil),
        ("Sun, 06 Nov 1994 08:50:07 GMT", date, .seconds(30)),
        ("Sunday, 06-Nov-94 08:50:07 GMT", date, .seconds(30)),
        ("Sun Nov  6 08:50:07 1994", date, .seconds(30)),
        ("Mon, 07 Nov 1994 09:00:00 GMT", date, .seconds(86_400)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", date, .zero),
        ("Sat, 05 Nov 1994 08:49:37 GMT", date, .zero),
        ("Sun, 06 Nov 1994 08:50:07 GMT", nil, nil),
        ("Sun, 06 Nov 1994 08:50:07 GMT", "yesterday", nil),
    ]

    @Test("a wait in seconds or until a date of the participant's own", arguments: waits)
    func wait(_ sample: (retryAfter: String, date: String?, wait: TimeSpan?)) {
        var headers: HTTPHeaders = ["retry-after": sample.retryAfter]
        if let date = sample.date { headers.add(name: "DATE", value: date) }
        #expect(RetryAfter.wait(in: headers) == sample.wait)
    }

    @Test func noHeader() {
        #expect(RetryAfter.wait(in: ["Date": Self.date]) == nil)
    }

    @Test(
        "it counts on every answer that isn't done",
        arguments: [
            (429, Outcome.failed, true), (408, .unknown, true), (425, .unknown, true), (503, .unknown, true),
            (409, .failed, false),
        ]
    )
    func statuses(status: Int, outcome: Outcome, retry: Bool) {
        let answer = AnswerClassifier.classify(
            status: status,
            headers: ["Retry-After": "3"],
            body: .whole(Array(#"{"error":"E","message":"m"}"#.utf8))
        )
        let told = refusal("E", "m", retry: retry, after: .seconds(3), health: status == 429 ? .failure : nil)
        #expect(answer == (outcome == .failed ? .failed(told) : .unknown(told)))
    }

    static let dates: [(text: String, seconds: Int64?)] = [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
        ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600),
        ("Thu, 29 Feb 2024 23:59:60 GMT", 1_709_251_200),
        ("Wed, 31 Dec 1969 23:59:59 GMT", -1),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
        ("Wednesday, 01-Jan-69 00:00:00 GMT", 3_124_224_000),
        ("Thursday, 01-Jan-70 00:00:00 GMT", 0),
        ("Sun, 06 Nov 1994 08:49:37 UTC", 784_111_777),
        ("Sun, 06 Nov 1994 08:49:37 CET", nil),
        ("Sun, 06 Nov 1994 24:00:00 GMT", nil),
        ("Sun, 06 Nov 1994 08:60:00 GMT", nil),
        ("Sun, 31 Nov 1994 08:00:00 GMT", nil),
        ("Mon, 29 Feb 1900 08:00:00 GMT", nil),
        ("Sun, 00 Nov 1994 08:00:00 GMT", nil),
        ("Sun, 06 Nox 1994 08:49:37 GMT", nil),
        ("Sun, 06 Nov 94 08:49:37 GMT", nil),
        ("Sun 06 Nov 1994 08:49:37 GMT", nil),
        ("1994-11-06T08:49:37Z", nil),
        ("٠٦ Nov", nil),
        ("", nil),
    ]

    @Test("the three forms of a date", arguments: dates)
    func date(_ sample: (text: String, seconds: Int64?)) {
        #expect(HTTPDate.seconds(sample.text) == sample.seconds)
    }
}
