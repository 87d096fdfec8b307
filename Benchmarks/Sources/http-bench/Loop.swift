import ArgumentParser
import AsyncHTTPClient
import NIOCore
import NIOPosix
import Synchronization

/// `http-bench loop`: posts as fast as async-http-client does.
struct Loop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Post {} to a URL, so many requests at a time, and print the rate as JSON."
    )

    @Argument(help: "Where to.")
    var url: String
    @Option(help: "Requests in flight.")
    var concurrency = 256
    @Option(help: "Requests in all.")
    var requests = 100_000
    @Option(help: "Event loops.")
    var threads = 1

    func validate() throws {
        guard (1...10_000).contains(concurrency) else { throw ValidationError("--concurrency is 1 to 10000") }
        guard (1...100_000_000).contains(requests) else { throw ValidationError("--requests is 1 to 100000000") }
        guard (1...64).contains(threads) else { throw ValidationError("--threads is 1 to 64") }
    }

    func run() async throws {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = concurrency
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        let client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
        let result: Result<Duration, any Error>
        do {
            // The first calls open the connections.
            try await post(concurrency, over: client)
            let begin = ContinuousClock.now
            try await post(requests, over: client)
            result = .success(ContinuousClock.now - begin)
        } catch {
            result = .failure(error)
        }
        try await client.shutdown()
        let seconds = try result.get() / .seconds(1)
        print(
            "{\"requests\":\(requests),\"concurrency\":\(concurrency),\"seconds\":\(seconds),"
                + "\"requestsPerSecond\":\(Double(requests) / seconds)}"
        )
    }

    /// - Throws: the first failure; an answer other than 200 is one.
    private func post(_ count: Int, over client: HTTPClient) async throws {
        let remaining = Countdown(count)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<min(concurrency, count) {
                group.addTask {
                    var request = HTTPClientRequest(url: url)
                    request.method = .POST
                    request.headers.add(name: "content-type", value: "application/json")
                    while remaining.take() {
                        request.body = .bytes(ByteBuffer(string: "{}"))
                        let response = try await client.execute(request, timeout: .seconds(30))
                        _ = try await response.body.collect(upTo: 1 << 20)
                        guard response.status == .ok else { throw UnexpectedStatus(code: response.status.code) }
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}

/// How many calls are still to be made.
private final class Countdown: Sendable {
    private let left: Atomic<Int>

    init(_ count: Int) { left = Atomic(count) }

    func take() -> Bool { left.subtract(1, ordering: .relaxed).newValue >= 0 }
}

private struct UnexpectedStatus: Error, CustomStringConvertible {
    let code: UInt
    var description: String { "the server answered \(code)" }
}
