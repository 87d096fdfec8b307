import Hummingbird
import JSON
import Logging
import NIOCore
import PostgresClient
import ServiceLifecycle

/// A request's context that also knows the connection it came on, so that an answer can be lost for real.
struct ServiceContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let connection: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        connection = source.channel
    }
}

/// Turns HTTP requests into calls of a service, and what it answers into responses.
struct ServiceApplication: Sendable {
    /// Larger bodies are refused with 413.
    private static let maximumBodySize = 64 * 1024

    let service: any ParticipantService
    let database: GuardedDatabase
    let faults: Faults

    func router() -> Router<ServiceContext> {
        let router = Router(context: ServiceContext.self)
        router.add(middleware: ErrorResponses())
        for endpoint in service.endpoints {
            router.post(RouterPath(endpoint.path)) { request, context in
                try await respond(to: request, context, with: endpoint)
            }
        }
        router.get("/books") { _, _ in
            let books = try await database.pool.query(service.booksQuery)
            guard let row = books.rows.first else { throw ServiceError.unavailable("the books can't be read") }
            return Response(Answer(status: 200, body: try row.decode(0, as: [UInt8].self)))
        }
        router.get("/health") { _, _ in
            _ = try await database.pool.query("SELECT 1")
            return Response(Answer(status: 200, ["service": .string(service.name.rawValue), "status": "ok"]))
        }
        return router
    }

    private func respond(
        to request: Request,
        _ context: ServiceContext,
        with endpoint: Endpoint
    ) async throws -> Response {
        let call = try serviceCall(request.headers, body: try await collectBody(of: request))
        let attempt = request.headers[Header.sagaAttempt].flatMap { Int($0) } ?? 1

        try await Task.sleep(for: faults.delay)
        guard !faults.isRefused(key: call.key, attempt: attempt) else {
            throw ServiceError.unavailable("this call was picked by --error-rate")
        }
        var answer = try await endpoint.handle(call, database)
        if faults.isAnswerLost(key: call.key, attempt: attempt) {
            answer.delivery = .lost
        }
        switch answer.delivery {
        case .prompt:
            break
        case .slow:
            await hold()
        case .lost:
            await hold()
            // What follows finds the connection closed; nothing of it reaches the caller.
            context.connection.close(promise: nil)
        }
        return Response(answer)
    }

    private func collectBody(of request: Request) async throws -> [UInt8] {
        do {
            return Array(try await request.body.collect(upTo: Self.maximumBodySize).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw ServiceError(413, "ContentTooLarge", "a body has at most \(Self.maximumBodySize) bytes")
        }
    }

    /// Waits for the time of `--hold`, cut short when the process is told to end.
    private func hold() async {
        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: faults.hold) }
    }

    private func serviceCall(_ headers: HTTPFields, body: [UInt8]) throws(ServiceError) -> ServiceCall {
        guard let keyHeader = headers[Header.idempotencyKey] else {
            throw ServiceError(400, "MissingIdempotencyKey", "a POST needs an Idempotency-Key header")
        }
        var compensates: String?
        if let header = headers[Header.sagaCompensates] {
            compensates = try IdempotencyKey.parse(header, header: "Saga-Compensates")
        }
        return ServiceCall(
            fields: try RequestFields(body),
            key: try IdempotencyKey.parse(keyHeader, header: "Idempotency-Key"),
            compensates: compensates
        )
    }
}

/// Gives every failure a JSON body `{"error": …, "message": …}`, and tells no caller about the insides.
private struct ErrorResponses: RouterMiddleware {
    func handle(
        _ request: Request,
        context: ServiceContext,
        next: (Request, ServiceContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as ServiceError {
            return Response(error.answer)
        } catch let error as HTTPError {
            let status = error.status
            let name = status.reasonPhrase.filter { $0 != " " }
            return Response(ServiceError(status.code, name, error.body ?? status.reasonPhrase).answer)
        } catch let error as PostgresError {
            // The guard's word for a key that is used for two things.
            guard error.sqlState != "22023" else {
                return Response(ServiceError(422, "KeyMismatch", error.message).answer)
            }
            context.logger.error("the database failed a call", metadata: ["error": "\(error)"])
            return Response(ServiceError.unavailable("the database failed the call").answer)
        }
    }
}

extension Response {
    fileprivate init(_ answer: Answer) {
        self.init(
            status: HTTPResponse.Status(code: answer.status),
            headers: answer.body.isEmpty ? [:] : [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body))
        )
    }
}

/// The names are optional only because making one checks its characters.
private enum Header {
    static let idempotencyKey = HTTPFields.Element.Name("Idempotency-Key")
    static let sagaCompensates = HTTPFields.Element.Name("Saga-Compensates")
    static let sagaAttempt = HTTPFields.Element.Name("Saga-Attempt")
}

extension HTTPFields {
    fileprivate subscript(name: Element.Name?) -> String? {
        name.flatMap { self[$0] }
    }
}
