import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import SagaCore
import SagaEngine
import Synchronization

/// Calls participants over HTTP/1.1.
///
/// Connections are kept and shared by host; certificates are verified, redirects not followed, answers not
/// decompressed. ``shutdown()`` must be called before the last reference goes.
public final class HTTPInvoker: StepInvoker {
    private let configuration: HTTPInvokerConfiguration
    private let environment: ServiceEnvironment
    private let logger: Logger
    private let group: MultiThreadedEventLoopGroup
    /// One per event loop, so that each has just one: `AnswerReceiver.mayHaveLeft` rests on it.
    private let clients: [HTTPClient]
    private let endpoints = Mutex<[EndpointKey: Endpoint]>([:])
    private let gate = Mutex(Gate())

    public init(configuration: HTTPInvokerConfiguration, environment: ServiceEnvironment, logger: Logger) {
        self.configuration = configuration
        self.environment = environment
        self.logger = logger
        group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, configuration.eventLoopThreads))
        let settings = Self.settings(configuration)
        clients = group.makeIterator().map {
            HTTPClient(eventLoopGroupProvider: .shared($0), configuration: settings)
        }
    }

    /// Makes the call, bounded by its timeout from the connecting to the last byte of the answer.
    ///
    /// A `noop` is done at once. A request that can't be made as it stands (a variable that isn't set, a URL that
    /// isn't one, a header with a control character) is `Saga.Expression`, not tried again. When the task is cancelled
    /// the request is dropped and its connection closed.
    public func invoke(_ call: Call) async -> Answer {
        guard case .http(let request) = call.request else { return .done(output: .null) }
        guard enter() else {
            return TransportFailure.answer(
                for: HTTPClientError.alreadyShutdown,
                mayHaveLeft: false,
                call: call,
                service: request.service.name
            )
        }
        defer { leave() }
        let answer: Answer
        do throws(UnusableRequest) {
            let endpoint = try endpoint(of: request.service)
            let prepared = try Self.prepare(call, request, at: endpoint)
            answer = await exchange(prepared, call, request, over: client(for: endpoint))
        } catch {
            answer = .failed(
                Answer.Refusal(
                    error: EngineError.expression,
                    message: PlainText.bounded(error.message),
                    isRetryable: false,
                    health: .neutral
                )
            )
        }
        log(answer, of: call)
        return answer
    }

    /// Drops the calls in flight, whose answers are then lost, and frees connections and threads.
    ///
    /// Returns when all of it is done, which takes up to `connectTimeout` while a connection is being made: the client
    /// can't break that off. Later calls aren't made: they end `Saga.ConnectFailed`.
    public func shutdown() async {
        let isFirst = gate.withLock { gate in
            defer { gate.isClosed = true }
            return !gate.isClosed
        }
        if isFirst {
            for client in clients {
                // It only throws when it was shut down before, which nobody else does.
                try? await client.shutdown()
            }
        }
        await withCheckedContinuation { continuation in
            let isEmpty = gate.withLock { gate in
                if gate.inFlight > 0 { gate.waiters.append(continuation) }
                return gate.inFlight == 0
            }
            if isEmpty { continuation.resume() }
        }
        // Only now: a result that comes to a stopped event loop would never reach its call.
        if isFirst { try? await group.shutdownGracefully() }
    }
}

extension HTTPInvoker {
    /// Who is inside ``invoke(_:)``.
    private struct Gate {
        var inFlight = 0
        var isClosed = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private func enter() -> Bool {
        gate.withLock { gate in
            guard !gate.isClosed else { return false }
            gate.inFlight += 1
            return true
        }
    }

    private func leave() {
        let waiters = gate.withLock { gate in
            gate.inFlight -= 1
            guard gate.inFlight == 0, gate.isClosed else { return [CheckedContinuation<Void, Never>]() }
            defer { gate.waiters = [] }
            return gate.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}

extension HTTPInvoker {
    /// What of a service makes its endpoint; its limits don't.
    private struct EndpointKey: Hashable {
        let service: Service

        static func == (left: EndpointKey, right: EndpointKey) -> Bool {
            left.service.name == right.service.name && left.service.url == right.service.url
                && left.service.headers == right.service.headers
        }

        func hash(into hasher: inout Hasher) {
            hasher.combine(service.name)
            hasher.combine(service.url)
        }
    }

    /// Far more than an installation has services; beyond it they are made anew.
    private static let maximumEndpoints = 1_024

    private func endpoint(of service: Service) throws(UnusableRequest) -> Endpoint {
        let key = EndpointKey(service: service)
        if let known = endpoints.withLock({ $0[key] }) { return known }
        let endpoint = try Endpoint(service, environment: environment, userAgent: configuration.userAgent)
        endpoints.withLock { endpoints in
            if endpoints.count >= Self.maximumEndpoints { endpoints.removeAll() }
            endpoints[key] = endpoint
        }
        return endpoint
    }

    private func client(for endpoint: Endpoint) -> HTTPClient {
        guard clients.count > 1 else { return clients[0] }
        var hash = FowlerNollVo()
        hash.combine(endpoint.origin)
        return clients[Int(hash.value % UInt64(clients.count))]
    }

    private static func prepare(
        _ call: Call,
        _ request: HTTPRequest,
        at endpoint: Endpoint
    ) throws(UnusableRequest) -> HTTPClient.Request {
        // CONNECT would open a tunnel; TRACE may not carry what the engine sends.
        guard RequestHeaders.isToken(request.method), request.method != "CONNECT", request.method != "TRACE" else {
            throw UnusableRequest(message: "the method isn't one that can be called")
        }
        guard let target = ServiceURL.encodedTarget(request.target) else {
            throw UnusableRequest(message: "path and query don't make a URL: \(request.target)")
        }
        let headers = try RequestHeaders.headers(of: call, request, at: endpoint)
        do {
            return try HTTPClient.Request(
                url: endpoint.prefix + target,
                method: HTTPMethod(rawValue: request.method),
                headers: headers,
                body: request.body.map { .byteBuffer(ByteBuffer(bytes: $0.bytes)) }
            )
        } catch {
            throw UnusableRequest(message: "path and query don't make a URL: \(request.target)")
        }
    }
}

extension HTTPInvoker {
    /// How often one attempt may meet a connection that its server has just closed before it counts as failed.
    private static let maximumDispatches = 3

    private func exchange(
        _ prepared: HTTPClient.Request,
        _ call: Call,
        _ request: HTTPRequest,
        over client: HTTPClient
    ) async -> Answer {
        let deadline = NIODeadline.now() + Self.amount(call.timeout)
        var dispatches = 1
        while true {
            let receiver = AnswerReceiver(
                limit: configuration.maximumResponseBytes,
                eventLoop: client.eventLoopGroup.any()
            )
            do {
                // What nobody waits for any more isn't sent: cancelling it afterwards would race with the sending.
                if Task.isCancelled { throw HTTPClientError.cancelled }
                let received = try await dispatch(prepared, to: client, receiver: receiver, deadline: deadline)
                return AnswerClassifier.classify(
                    status: received.status,
                    headers: received.headers,
                    body: .whole(Array(received.body.readableBytesView)),
                    outcomes: request.outcomes
                )
            } catch let oversized as OversizedAnswer {
                return AnswerClassifier.classify(
                    status: oversized.status,
                    headers: oversized.headers,
                    body: .overLimit(configuration.maximumResponseBytes),
                    outcomes: request.outcomes
                )
            } catch {
                let mayHaveLeft = receiver.mayHaveLeft
                let mayGoAgain = !mayHaveLeft && TransportFailure.isStaleConnection(error) && !Task.isCancelled
                if mayGoAgain, dispatches < Self.maximumDispatches {
                    dispatches += 1
                    continue
                }
                return TransportFailure.answer(
                    for: error,
                    mayHaveLeft: mayHaveLeft,
                    call: call,
                    service: request.service.name
                )
            }
        }
    }

    private func dispatch(
        _ prepared: HTTPClient.Request,
        to client: HTTPClient,
        receiver: AnswerReceiver,
        deadline: NIODeadline
    ) async throws -> ReceivedAnswer {
        let task = client.execute(request: prepared, delegate: receiver, deadline: deadline)
        return try await withTaskCancellationHandler {
            try await task.get()
        } onCancel: {
            task.cancel()
        }
    }

    /// A span for the event loop's clock, which a year doesn't overflow.
    private static func amount(_ span: TimeSpan) -> TimeAmount {
        .microseconds(min(max(span, .zero), .seconds(31_536_000)).microseconds)
    }

    static func settings(_ configuration: HTTPInvokerConfiguration) -> HTTPClient.Configuration {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if !configuration.additionalTrustRoots.isEmpty {
            tls.additionalTrustRoots = [.certificates(configuration.additionalTrustRoots)]
        }
        var settings = HTTPClient.Configuration(
            tlsConfiguration: tls,
            redirectConfiguration: .disallow,
            timeout: .init(connect: amount(configuration.connectTimeout)),
            connectionPool: .init(
                idleTimeout: amount(configuration.idleConnectionTimeout),
                concurrentHTTP1ConnectionsPerHostSoftLimit: max(1, configuration.maximumConnectionsPerHost)
            ),
            decompression: .disabled
        )
        settings.httpVersion = .http1Only
        // A refused connection is an attempt's end: whether there is another one is the saga's decision.
        settings.connectionPool.retryConnectionEstablishment = false
        settings.tracing.tracer = nil
        return settings
    }

    private func log(_ answer: Answer, of call: Call) {
        let refusal: Answer.Refusal
        switch answer {
        case .done: return
        case .failed(let told), .unknown(let told): refusal = told
        }
        logger.debug(
            "call not done",
            metadata: [
                "saga": "\(call.saga)", "step": "\(call.stepName)", "side": "\(call.operation.side.rawValue)",
                "attempt": "\(call.attempt)", "error": "\(refusal.error)",
            ]
        )
    }
}
