import JSON
import PostgresClient
import SagaCore
import SagaEngine

extension PostgresStore {
    public func service(_ service: Service, under lease: Lease) async throws(StoreError) -> StoredService {
        do throws(PostgresError) {
            let clock = try await pool.query("SELECT clock_timestamp()", timeout: timeout)
            let now = try clock.rows.first?.decode(0, as: PostgresTimestamp.self)
            let entry = ServiceEntry(service, now: now.map(Instant.init) ?? Instant(microseconds: 0), isForced: false)
            let results = try await fenced(
                lease,
                [
                    entry.statement,
                    PostgresStatement(
                        """
                        SELECT id, version, settings, document FROM saga.service
                        WHERE name = $1 AND url = $2 AND hashtextextended(url, 0) = hashtextextended($2, 0)
                        """, [.text(service.name), .text(service.url)]),
                ])
            guard let row = results.last?.rows.first else {
                throw PostgresError(.decoding, "service \(service.name) isn't there after being entered")
            }
            return try StoredService(row)
        } catch {
            throw StoreError(error)
        }
    }

    public func service(_ id: ServiceID, newerThan version: Int64) async throws(StoreError) -> StoredService? {
        do throws(PostgresError) {
            let result = try await pool.query(
                "SELECT id, version, settings, document FROM saga.service WHERE id = $1 AND version > $2",
                [.int4(id.number), .int8(version)], timeout: timeout)
            guard let row = result.rows.first else { return nil }
            return try StoredService(row)
        } catch {
            throw StoreError(error)
        }
    }

    public func write(_ update: ServiceUpdate, under lease: Lease) async throws(StoreError) -> Bool {
        do throws(PostgresError) {
            let results = try await fenced(lease, [update.statement])
            return try results.first?.rows.first?.decode(0, as: Bool.self) ?? false
        } catch {
            if error.kind == .connectionLost { throw .inDoubt(error.description) }
            throw StoreError(error)
        }
    }

    public func awaitedServices() async throws(StoreError) -> [Service] {
        do throws(PostgresError) {
            let result = try await pool.query("SELECT name, url FROM saga.awaited_services()", timeout: timeout)
            var services: [Service] = []
            for row in result.rows { services.append(Service(name: try row.decode(0), url: try row.decode(1))) }
            return services
        } catch {
            throw StoreError(error)
        }
    }

    /// Skips what another daemon is taking.
    public func claimWaiting(
        _ lease: Lease, for service: ServiceID, limit: Int, fewestAttemptsFirst: Bool
    ) async throws(StoreError) -> [SagaID] {
        do throws(PostgresError) {
            let results = try await fenced(
                lease,
                [
                    PostgresStatement(
                        "SELECT saga.claim_waiting($1, $2, $3, $4)",
                        [
                            .int4(lease.daemon), .int4(service.number), .int8(Int64(limit)),
                            .bool(fewestAttemptsFirst),
                        ])
                ])
            var ids: [SagaID] = []
            for row in results.first?.rows ?? [] { ids.append(SagaID(try row.decode(0, as: PostgresUUID.self))) }
            return ids.sorted()
        } catch {
            throw StoreError(error)
        }
    }
}

/// A service on its way into the database.
struct ServiceEntry {
    let service: Service
    /// The database's clock.
    let now: Instant
    /// Whether a known one gets these settings.
    let isForced: Bool

    init(_ service: Service, now: Instant, isForced: Bool) {
        self.service = service
        self.now = now
        self.isForced = isForced
    }

    var statement: PostgresStatement {
        PostgresStatement(
            "SELECT saga.apply_service($1, $2, $3, $4, $5)",
            [
                .text(service.name), .text(service.url), .json(service.settings.json.bytes),
                .json(ServiceState(at: now).json.bytes), .bool(isForced),
            ])
    }
}

extension StoredService {
    /// From `id, version, settings, document`.
    init(_ row: PostgresRow) throws(PostgresError) {
        do throws(ServiceDocumentError) {
            self.init(
                id: ServiceID(try Self.decode(row, 0)), version: try Self.decode(row, 1),
                settings: try ServiceSettings(json: RawJSON(unchecked: try Self.decode(row, 2))),
                state: try ServiceState(json: RawJSON(unchecked: try Self.decode(row, 3))))
        } catch {
            throw PostgresError(.decoding, "saga.service: \(error.message)")
        }
    }

    private static func decode<Value: PostgresDecodable>(
        _ row: PostgresRow, _ column: Int
    ) throws(ServiceDocumentError) -> Value {
        do throws(PostgresError) { return try row.decode(column) } catch {
            throw ServiceDocumentError(error.description)
        }
    }
}

extension ServiceUpdate {
    var statement: PostgresStatement {
        PostgresStatement(
            "SELECT saga.write_service($1, $2, $3, $4, $5, $6, $7)",
            [
                .int4(id.number), .int8(expectedVersion), .json(state.json.bytes), .text(state.breaker.state.rawValue),
                .timestamptz(state.breaker.since.timestamp), .timestamptz(state.breaker.nextProbe?.timestamp),
                .json(eventsJSON.bytes),
            ])
    }

    private var eventsJSON: RawJSON {
        var writer = JSONWriter()
        writer.beginArray()
        for event in events {
            writer.beginObject()
            writer.field("type", Int(event.type.rawValue))
            writer.field("at", event.at.text)
            writer.field("data", event.data)
            writer.endObject()
        }
        writer.endArray()
        return writer.finished()
    }
}
