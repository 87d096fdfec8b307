import NIOSSL
import SagaCore

/// The limits of an ``HTTPInvoker``.
public struct HTTPInvokerConfiguration: Sendable {
    /// Connections to one host and port.
    ///
    /// A call beyond it waits, and its time runs meanwhile; so the default is the number of calls that a daemon has in
    /// flight at most.
    public var maximumConnectionsPerHost = 256
    /// The longest body of an answer that is taken in, in bytes.
    public var maximumResponseBytes = 1_048_576
    /// Threads that do the input and output; calls to one host share one.
    public var eventLoopThreads = 1
    /// How long a connection and its TLS handshake may take; a call's timeout counts if it is shorter.
    public var connectTimeout = TimeSpan.seconds(10)
    /// How long a connection is kept without a call.
    ///
    /// Below the 5 s after which common servers close it, since a request that crosses with the closing ends as unknown.
    public var idleConnectionTimeout = TimeSpan.seconds(4)
    /// The `User-Agent` of every call: `saga/VERSION`.
    public var userAgent: String

    /// Certificates that are trusted beside the system's.
    private(set) var additionalTrustRoots: [NIOSSLCertificate] = []

    public init(userAgent: String = "saga") {
        self.userAgent = userAgent
    }

    /// Trusts the certificates of a PEM file beside the system's, as `SSL_CERT_FILE` names one.
    /// - Throws: ``UnreadableTrustRoots`` when the file can't be read or holds no certificate.
    public mutating func addTrustRoots(fromPEMFile path: String) throws(UnreadableTrustRoots) {
        do {
            let certificates = try NIOSSLCertificate.fromPEMFile(path)
            guard !certificates.isEmpty else { throw UnreadableTrustRoots(path: path) }
            additionalTrustRoots += certificates
        } catch {
            throw UnreadableTrustRoots(path: path)
        }
    }
}

/// A file of trusted certificates that can't be used.
public struct UnreadableTrustRoots: Error, Sendable, Hashable, CustomStringConvertible {
    public let path: String

    public var description: String { "\(path) is not a readable PEM file with certificates" }
}
