import PostgresClient
import SagaCore
import SagaEngine

extension PostgresStore: RetentionStore {
    public func mayChangePartitions() async throws(StoreError) -> Bool {
        do throws(PostgresError) { return try await PartitionDesk(pool: pool).mayChangePartitions() } catch {
            throw StoreError(error)
        }
    }

    public func ensurePartitions(days: Int) async throws(StoreError) -> Int {
        do throws(PostgresError) { return try await PartitionDesk(pool: pool).ensure(days: days) } catch {
            throw StoreError(error)
        }
    }

    public func agedPartitions(_ age: TimeSpan) async throws(StoreError) -> [AgedPartition] {
        do throws(PostgresError) { return try await PartitionDesk(pool: pool).aged(age) } catch {
            throw StoreError(error)
        }
    }

    public func drop(_ partition: AgedPartition, endedBefore age: TimeSpan) async throws(StoreError) -> PartitionDrop {
        do throws(PostgresError) { return try await PartitionDesk(pool: pool).drop(partition, endedBefore: age) } catch
        {
            throw StoreError(error)
        }
    }

    public func dropBreakerEvents(olderThan age: TimeSpan) async throws(StoreError) -> Int {
        do throws(PostgresError) { return try await PartitionDesk(pool: pool).dropBreakerEvents(olderThan: age) } catch
        {
            throw StoreError(error)
        }
    }
}
