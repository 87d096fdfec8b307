import JSON
import NIOHTTP1
import SagaCore

/// What an HTTP answer means for the attempt: the outcome table of the design, as a function.
public enum AnswerClassifier {
    /// The body of an answer, as far as it was taken in.
    public enum Body: Sendable, Hashable {
        case whole([UInt8])
        /// Longer than the limit, in bytes, and therefore dropped.
        case overLimit(Int)
    }

    /// The answer that a participant gave, whole.
    ///
    /// | status | outcome | tried again |
    /// | --- | --- | --- |
    /// | 2xx with JSON or nothing | done | – |
    /// | 2xx with anything else | unknown, `Saga.BadResponse` | no |
    /// | 429 | failed | yes |
    /// | 408, 425, 5xx but 501 | unknown | yes |
    /// | other 4xx, 501 | failed | no |
    /// | 3xx, and any status HTTP doesn't define | unknown | no |
    ///
    /// `outcomes` changes the outcome of a status and nothing else. With `done` the output is the body as for a 2xx,
    /// and one that can't be read is `Saga.BadResponse` likewise; with `failed` or `unknown` the answer is tried again
    /// or not as the row of its own status says, so that a 500 called failed is still tried again and a 2xx isn't.
    ///
    /// An error without a name in its body is called `Saga.HTTP.STATUS`. A `Retry-After` counts on every answer that
    /// isn't done: a definition's `retryableErrors` may have any of them tried again.
    public static func classify(
        status: Int,
        headers: HTTPHeaders,
        body: Body,
        outcomes: [Int: Outcome] = [:]
    ) -> Answer {
        let row = Row(status: status)
        switch outcomes[status] ?? row.outcome {
        case .done: return done(body)
        case .failed: return .failed(refusal(status: status, headers: headers, body: body, row: row))
        case .unknown: return .unknown(refusal(status: status, headers: headers, body: body, row: row))
        }
    }

    /// What a status means by itself.
    private struct Row {
        let outcome: Outcome
        let isRetryable: Bool

        init(status: Int) {
            switch status {
            case 200..<300: (outcome, isRetryable) = (.done, false)
            case 429: (outcome, isRetryable) = (.failed, true)
            case 501: (outcome, isRetryable) = (.failed, false)
            case 408, 425, 500..<600: (outcome, isRetryable) = (.unknown, true)
            case 400..<500: (outcome, isRetryable) = (.failed, false)
            default: (outcome, isRetryable) = (.unknown, false)
            }
        }
    }

    private static func done(_ body: Body) -> Answer {
        switch body {
        case .overLimit(let limit):
            return badResponse("the answer is longer than \(limit) bytes")
        case .whole(let bytes):
            guard let start = bytes.firstIndex(where: { !JSONWhitespace.contains($0) }),
                let end = bytes.lastIndex(where: { !JSONWhitespace.contains($0) })
            else { return .done(output: .null) }
            do {
                // It is stored one level deeper, and read back.
                let limits = JSONLimits(maximumDepth: ValueLimits.output.depth, maximumBytes: bytes.count)
                guard try !JSON.validate(bytes, limits: limits).containsNUL else {
                    return badResponse("the answer holds the character U+0000, which can't be stored")
                }
                let isTrimmed = start == 0 && end == bytes.count - 1
                return .done(output: RawJSON(unchecked: isTrimmed ? bytes : Array(bytes[start...end])))
            } catch {
                return badResponse("the answer isn't JSON: \(error)")
            }
        }
    }

    private static func badResponse(_ message: String) -> Answer {
        .unknown(
            Answer.Refusal(
                error: EngineError.badResponse,
                message: PlainText.bounded(message),
                isRetryable: false
            )
        )
    }

    private static func refusal(status: Int, headers: HTTPHeaders, body: Body, row: Row) -> Answer.Refusal {
        var bytes: [UInt8] = []
        if case .whole(let whole) = body { bytes = whole }
        let document = ErrorDocument(body: bytes, headers: headers)
        // Many participants quote what they were sent, and messages go on to logs and to receivers of alerts.
        let message = document.message ?? describe(status, PlainText.excerpt(of: SecretMask.body(bytes)))
        return Answer.Refusal(
            error: document.name ?? EngineError.http(status),
            message: SecretMask.text(message),
            isRetryable: row.isRetryable,
            retryAfter: RetryAfter.wait(in: headers),
            health: status == 429 ? .failure : nil
        )
    }

    private static func describe(_ status: Int, _ excerpt: String?) -> String {
        let reason = HTTPResponseStatus(statusCode: status).reasonPhrase
        let line = reason.isEmpty ? "HTTP \(status)" : "HTTP \(status) \(reason)"
        if let excerpt { return "\(line): \(excerpt)" }
        return (300..<400).contains(status) ? "\(line): redirects are not followed" : line
    }
}
