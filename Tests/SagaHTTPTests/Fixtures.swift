import JSON
import Logging
import SagaCore

@testable import SagaHTTP

/// A call of step `charge`, its first attempt, with what a test doesn't care about filled in.
func call(
    port: Int = 1,
    url: String? = nil,
    side: OperationSide = .action,
    attempt: Int = 1,
    timeout: TimeSpan = .seconds(30),
    method: String = "POST",
    target: String = "/charges",
    serviceHeaders: [Service.Header] = [],
    headers: [Service.Header] = [],
    body: String? = nil,
    outcomes: [Int: Outcome] = [:]
) -> Call {
    Call(
        saga: testSaga,
        sagaName: "order",
        stepName: "charge",
        operation: OperationReference(step: 0, side: side),
        attempt: attempt,
        timeout: timeout,
        request: .http(
            HTTPRequest(
                service: Service(name: "payment", url: url ?? "http://127.0.0.1:\(port)", headers: serviceHeaders),
                method: method,
                target: target,
                headers: headers,
                body: body.map { json($0) },
                outcomes: outcomes
            )
        )
    )
}

let testSaga = SagaID(high: 0x018f_3a1c_9be0_7d00, low: 0x8000_0000_0000_0042)

func json(_ text: String) -> RawJSON { RawJSON(unchecked: Array(text.utf8)) }

func done(_ text: String) -> Answer { .done(output: json(text)) }

func refusal(_ error: String, _ message: String, retry: Bool, after: TimeSpan? = nil, health: CallVerdict? = nil)
    -> Answer.Refusal
{
    Answer.Refusal(error: error, message: message, isRetryable: retry, retryAfter: after, health: health)
}

func connectFailed(_ message: String, health: CallVerdict = .failure) -> Answer {
    .failed(refusal("Saga.ConnectFailed", "payment: \(message)", retry: true, health: health))
}

func connectionLost(_ message: String) -> Answer {
    .unknown(refusal("Saga.ConnectionLost", "payment: \(message)", retry: true))
}

func expressionFailed(_ message: String) -> Answer {
    .failed(refusal("Saga.Expression", message, retry: false, health: .neutral))
}

/// Runs a test against an invoker of its own and shuts it down.
func withInvoker<Result>(
    _ configuration: HTTPInvokerConfiguration = HTTPInvokerConfiguration(),
    environment: [String: String] = [:],
    _ body: (HTTPInvoker) async throws -> Result
) async throws -> Result {
    let invoker = HTTPInvoker(
        configuration: configuration,
        environment: ServiceEnvironment(environment),
        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    )
    do {
        let result = try await body(invoker)
        await invoker.shutdown()
        return result
    } catch {
        await invoker.shutdown()
        throw error
    }
}

/// Runs a test against a server and an invoker, and ends both.
func withServer<Result>(
    _ configuration: HTTPInvokerConfiguration = HTTPInvokerConfiguration(),
    environment: [String: String] = [:],
    script: @escaping @Sendable (SocketServer.Connection) -> Void,
    _ body: (HTTPInvoker, SocketServer) async throws -> Result
) async throws -> Result {
    let server = try SocketServer(script)
    do {
        let result = try await withInvoker(configuration, environment: environment) { invoker in
            try await body(invoker, server)
        }
        await server.stop()
        return result
    } catch {
        await server.stop()
        throw error
    }
}
