/// What `saga doctor` may say, by the names that scripts go by.
///
/// Each check has a name for when there is nothing to say; the others name what is wrong. `docs/operations.md` lists
/// them all.
public enum DoctorCode: String, Sendable, Hashable, CaseIterable {
    // What a check is called when it is content, or couldn't look.
    case pooler, server, schema, clock, settings, connections, tables, vacuum, replication, daemons, sagas, services
    case alerts, definitions, partitions, history
    // What keeps a check from looking
    case lockedOut = "locked-out"
    case damaged
    // The way to the server
    case poolerStatementMode = "pooler-statement-mode"
    // The server
    case serverTooOld = "server-too-old"
    case encodingNotUTF8 = "encoding-not-utf8"
    case standby
    // The schema
    case schemaMissing = "schema-missing"
    case schemaForeign = "schema-foreign"
    case schemaOlder = "schema-older"
    case schemaNewer = "schema-newer"
    case migrationChanged = "migration-changed"
    case rolesMissing = "roles-missing"
    // The clock
    case clockApart = "clock-apart"
    // Settings
    case fsyncOff = "fsync-off"
    case fullPageWritesOff = "full-page-writes-off"
    case damageHidden = "damage-hidden"
    case triggersOff = "triggers-off"
    case synchronousCommitOff = "synchronous-commit-off"
    case synchronousCommitLocal = "synchronous-commit-local"
    case readOnly = "read-only"
    case isolationStrict = "isolation-strict"
    case stringsNotStandard = "strings-not-standard"
    case timeoutTooShort = "timeout-too-short"
    case autovacuumOff = "autovacuum-off"
    // Connections
    case connectionsUsedUp = "connections-used-up"
    // Tables
    case tableAutovacuumOff = "table-autovacuum-off"
    case deadTuples = "dead-tuples"
    case indexInvalid = "index-invalid"
    case indexMissing = "index-missing"
    case triggerMissing = "trigger-missing"
    case constraintMissing = "constraint-missing"
    case partitionDefaultMissing = "partition-default-missing"
    case wraparoundNear = "wraparound-near"
    // What holds vacuum back
    case transactionOld = "transaction-old"
    case preparedTransactionOld = "prepared-transaction-old"
    case slotInactive = "slot-inactive"
    case slotRetainsWAL = "slot-retains-wal"
    case standbyHoldsVacuum = "standby-holds-vacuum"
    // Replication
    case synchronousStandbyMissing = "synchronous-standby-missing"
    case standbyLagging = "standby-lagging"
    // Daemons
    case daemonNone = "daemon-none"
    case daemonLost = "daemon-lost"
    case leaseAhead = "lease-ahead"
    case daemonVersionsDiffer = "daemon-versions-differ"
    // Sagas
    case sagasOverdue = "sagas-overdue"
    case sagasBehind = "sagas-behind"
    case sagasOrphaned = "sagas-orphaned"
    case sagasForgotten = "sagas-forgotten"
    case sagasStuck = "sagas-stuck"
    case sagasUnreadable = "sagas-unreadable"
    // Services, alerts, definitions
    case breakerOpenLong = "breaker-open-long"
    case serviceUnreadable = "service-unreadable"
    case alertsWaiting = "alerts-waiting"
    case definitionUnreadable = "definition-unreadable"
    case definitionChanged = "definition-changed"
    case definitionMissing = "definition-missing"
    // Partitions
    case partitionPinned = "partition-pinned"
    case partitionMissing = "partition-missing"
    case partitionDefaultFilled = "partition-default-filled"
    // Histories
    case historyHole = "history-hole"
    case historyUnreadable = "history-unreadable"
    case historyIllegal = "history-illegal"
    case stateMissing = "state-missing"
    case stateDiffers = "state-differs"
    case viewDiffers = "view-differs"
    case keyDangling = "key-dangling"
    case keyDiffers = "key-differs"
}
