import JSON
import PostgresClient
import SagaCore

/// Writes one alert, in the transaction of what it tells of.
///
/// It takes no lock that anybody waits for. For what belongs to a saga see `SagaAlerts`.
public struct AlertStatement: Sendable, Hashable {
    /// The CloudEvents 1.0 document that is posted.
    public let event: RawJSON

    /// - Parameters:
    ///   - type: such as `saga.BreakerOpened`.
    ///   - source: such as `/services/payment`.
    ///   - subject: what it is about, such as the service's name.
    ///   - data: an object; nothing secret, since it leaves the installation.
    ///   - id: unique within the source, and the same for the same happening, so that a receiver can drop duplicates;
    ///     left out: subject and time.
    public init(type: String, source: String, subject: String, time: Instant, data: RawJSON, id: String? = nil) {
        var writer = JSONWriter(reservingCapacity: 256 + data.bytes.count)
        writer.beginObject()
        writer.field("specversion", "1.0")
        writer.field("id", id ?? "\(subject)/\(time.text)")
        writer.field("source", source)
        writer.field("type", type)
        writer.field("subject", subject)
        writer.field("time", time.text)
        writer.field("datacontenttype", "application/json")
        writer.field("data", data)
        writer.endObject()
        event = writer.finished()
    }

    /// To be run in the transaction that makes it true.
    public var statement: PostgresStatement {
        PostgresStatement("INSERT INTO saga.alert (event) VALUES ($1)", [.json(event.bytes)])
    }
}
