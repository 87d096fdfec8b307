import SagaPostgres

/// What may be wrong with an installation, and what the doctor says of it.
extension DoctorChecksTests {
    private static let forConnections = "(holds for new connections: restart the daemons)"

    static let settings = [
        Case(
            "a commit that doesn't stay", "ALTER DATABASE DB SET synchronous_commit = off",
            """
            error synchronous-commit-off: synchronous_commit is off for role postgres: a crash of the server loses \
            starts and outcomes that were acknowledged -> ALTER DATABASE DB RESET synchronous_commit; \(forConnections)
            """),
        Case(
            "a database that is only read", "ALTER ROLE postgres IN DATABASE DB SET default_transaction_read_only = on",
            """
            error read-only: default_transaction_read_only is on for role postgres: its transactions can't write -> \
            ALTER ROLE postgres IN DATABASE DB RESET default_transaction_read_only; \(forConnections)
            """),
        Case(
            "timeouts",
            """
            ALTER DATABASE DB SET statement_timeout = 50; ALTER DATABASE DB SET lock_timeout = '100ms';
            ALTER DATABASE DB SET idle_in_transaction_session_timeout = '0.5s'
            """,
            """
            error timeout-too-short: statement_timeout is 50 ms for role postgres: daemons can't even wait for work -> \
            ALTER DATABASE DB RESET statement_timeout; \(forConnections)
            """,
            """
            warning timeout-too-short: lock_timeout is 100 ms for role postgres: it cuts daemons short when the server \
            is busy -> ALTER DATABASE DB RESET lock_timeout; \(forConnections)
            """,
            """
            warning timeout-too-short: idle_in_transaction_session_timeout is 500 ms for role postgres: it cuts \
            daemons short when the server is busy -> ALTER DATABASE DB RESET idle_in_transaction_session_timeout; \
            \(forConnections)
            """),
    ]

    static let meanings = [
        Case(
            "damage that isn't told",
            "ALTER DATABASE DB SET zero_damaged_pages = on; ALTER DATABASE DB SET ignore_checksum_failure = on",
            """
            error damage-hidden: zero_damaged_pages is on for role postgres: pages that can't be read are emptied, and \
            their sagas are gone without a word -> ALTER DATABASE DB RESET zero_damaged_pages; \(forConnections)
            """,
            """
            error damage-hidden: ignore_checksum_failure is on for role postgres: damaged pages are read as if they \
            were sound -> ALTER DATABASE DB RESET ignore_checksum_failure; \(forConnections)
            """),
        Case(
            "triggers that don't fire", "ALTER DATABASE DB SET session_replication_role = replica",
            """
            error triggers-off: session_replication_role is replica for role postgres: no trigger fires: events can be \
            changed and deleted, and no alert of a breaker is written -> ALTER DATABASE DB RESET \
            session_replication_role; \(forConnections)
            """),
        Case(
            "strings of another meaning", "ALTER DATABASE DB SET standard_conforming_strings = off",
            """
            error strings-not-standard: standard_conforming_strings is off for role postgres: backslashes in the \
            schema's functions mean something else -> ALTER DATABASE DB RESET standard_conforming_strings; \
            \(forConnections)
            """),
        Case(
            "a strict isolation", "ALTER DATABASE DB SET default_transaction_isolation = 'serializable'",
            """
            warning isolation-strict: default_transaction_isolation is serializable for role postgres: where two meet, \
            batches and starts are refused and made again -> ALTER DATABASE DB RESET default_transaction_isolation; \
            \(forConnections)
            """),
    ]

    private static let notOurs = "skipped sagas: not checked: needs a schema that this program and role can read"
    private static let foreign = """
        name the database that is Saga's (--database); another program's schema of this name needs another name or \
        database; lost tables come back from a backup only
        """

    static let schema = [
        Case(
            "another program's schema",
            "DROP SCHEMA saga CASCADE; CREATE SCHEMA saga; CREATE TABLE saga.migration (version int, run_on date)",
            """
            error schema-foreign: the schema saga isn't Saga's, or somebody dropped parts of it: its table migration \
            lacks name, checksum, applied_at -> \(foreign)
            """, notOurs),
        Case(
            "a schema without its keys", "DROP TABLE saga.key",
            """
            error schema-foreign: the schema saga isn't Saga's, or somebody dropped parts of it: it lacks saga.key -> \
            \(foreign)
            """, notOurs),
        Case(
            "an older schema", "DELETE FROM saga.migration WHERE version = (SELECT max(version) FROM saga.migration)",
            """
            error schema-older: the schema is version \(Migrator.latestVersion - 1), this program's is \
            \(Migrator.latestVersion) -> saga migrate
            """,
            "skipped sagas: not checked: needs a schema that this program and role can read"),
        Case(
            "a newer schema", "INSERT INTO saga.migration (version, name) VALUES (999, 'later')",
            """
            error schema-newer: the schema is version 999, newer than this program's \(Migrator.latestVersion) -> \
            install the version of Saga that migrated it
            """,
            "skipped sagas: not checked: needs a schema that this program and role can read"),
        Case(
            "another text", "UPDATE saga.migration SET checksum = 'x' WHERE version IN (1, 3)",
            """
            warning migration-changed: 2 migrations had another text than this program's: 1, 3 -> compare with \
            sql/schema.sql: pg_dump --schema-only --schema saga
            """),
    ]

    static let tables = [
        Case(
            "a table without autovacuum", "ALTER TABLE saga.alert SET (autovacuum_enabled = off)",
            """
            warning table-autovacuum-off: autovacuum is off for saga.alert -> ALTER TABLE saga.alert RESET \
            (autovacuum_enabled);
            """),
        Case(
            "an invalid index",
            """
            CREATE INDEX alert_bad ON saga.alert (attempts);
            UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'saga.alert_bad'::regclass
            """,
            """
            warning index-invalid: the index saga.alert_bad is invalid: it costs writes and serves no reading -> \
            REINDEX INDEX CONCURRENTLY saga.alert_bad;
            """),
        Case(
            "keys and indexes that somebody dropped",
            """
            ALTER TABLE saga.event DROP CONSTRAINT event_pkey; ALTER TABLE saga.key DROP CONSTRAINT key_pkey;
            ALTER TABLE saga.state DROP CONSTRAINT state_pkey; DROP INDEX saga.state_work
            """,
            """
            error index-missing: the index event_pkey is missing on saga.event: the same may be written twice, such as \
            one start or one event -> as the schema's owner: ALTER TABLE saga.event ADD CONSTRAINT event_pkey PRIMARY \
            KEY (saga_id, sequence);
            """,
            """
            error index-missing: the index key_pkey is missing on saga.key: the same may be written twice, such as one \
            start or one event -> as the schema's owner: ALTER TABLE saga.key ADD CONSTRAINT key_pkey PRIMARY KEY (key);
            """,
            """
            error index-missing: the index state_pkey is missing on saga.state: the same may be written twice, such as \
            one start or one event -> as the schema's owner: ALTER TABLE saga.state ADD CONSTRAINT state_pkey PRIMARY \
            KEY (id);
            """,
            """
            error index-missing: the index state_work is missing on saga.state: what looks for work reads whole tables \
            -> as the schema's owner: CREATE INDEX state_work ON saga.state (owner, due_at) WHERE owner IS NOT NULL OR \
            due_at IS NOT NULL;
            """),
        Case(
            "triggers that are gone or switched off",
            """
            DROP TRIGGER event_append_only ON saga.event_default;
            ALTER TABLE saga.event DISABLE TRIGGER event_append_only;
            ALTER TABLE saga.definition DISABLE TRIGGER USER; ALTER TABLE saga.definition ENABLE REPLICA TRIGGER definition_immutable;
            DROP TRIGGER breaker_event_alert ON saga.breaker_event
            """,
            """
            error trigger-missing: the trigger event_append_only is switched off on saga.event: nothing refuses a change \
            of what must never change -> as the schema's owner: ALTER TABLE saga.event ENABLE TRIGGER event_append_only;
            """,
            """
            error trigger-missing: the trigger event_append_only is missing on saga.event_default: nothing refuses a \
            change of what must never change -> as the schema's owner: CREATE TRIGGER event_append_only BEFORE UPDATE OR \
            DELETE OR TRUNCATE ON saga.event_default FOR EACH STATEMENT EXECUTE FUNCTION saga.refuse_change('events are \
            append-only, a saga''s state is the fold of all of them');
            """,
            """
            error trigger-missing: the trigger definition_immutable is switched off on saga.definition: nothing refuses \
            a change of what must never change -> as the schema's owner: ALTER TABLE saga.definition ENABLE TRIGGER \
            definition_immutable;
            """,
            """
            error trigger-missing: the trigger breaker_event_alert is missing on saga.breaker_event: no alert is written \
            when a breaker opens -> as the schema's owner: CREATE TRIGGER breaker_event_alert AFTER INSERT ON \
            saga.breaker_event FOR EACH ROW WHEN (CASE new.type WHEN 1 THEN new.data ->> 'from' IS DISTINCT FROM \
            'HALF_OPEN' END) EXECUTE FUNCTION saga.alert_breaker_opened();
            """),
        Case(
            "a table without the rule that nobody is forgotten",
            "ALTER TABLE saga.state DROP CONSTRAINT state_work_until_ended",
            """
            error constraint-missing: the constraint state_work_until_ended is missing on saga.state and N other \
            tables: a saga that hasn't ended may be where nobody looks -> as the schema's owner: ALTER TABLE saga.state \
            ADD CONSTRAINT state_work_until_ended CHECK ((ended_at IS NOT NULL) = (owner IS NULL AND due_at IS NULL));
            """),
        Case(
            "no partition for what no other takes", "DROP TABLE saga.event_default, saga.state_default",
            """
            error partition-default-missing: the default partition is missing on saga.state: a start is refused on a \
            day that has no partition -> as the schema's owner: SELECT saga.make_partition('default'); SELECT \
            saga.attach_partition('default', 'DEFAULT'); or, where state_default is still there, ALTER TABLE saga.state \
            ATTACH PARTITION saga.state_default DEFAULT;
            """,
            """
            error partition-default-missing: the default partition is missing on saga.event: a start is refused on a \
            day that has no partition -> as the schema's owner: SELECT saga.make_partition('default'); SELECT \
            saga.attach_partition('default', 'DEFAULT'); or, where event_default is still there, ALTER TABLE saga.event \
            ATTACH PARTITION saga.event_default DEFAULT;
            """),
    ]

    static let daemons = [
        Case(
            "no daemon", "DELETE FROM saga.daemon",
            "warning daemon-none: no daemon is alive; no saga waits for one -> start sagad"),
        Case(
            "no daemon for a saga", "DELETE FROM saga.daemon; SELECT saga.start('order', '{}'::text)",
            "error daemon-none: no daemon is alive, and 1 saga hasn't ended -> start sagad"),
        Case(
            "leases that nobody takes over",
            """
            INSERT INTO saga.daemon (host, pid, version, lease_until) VALUES
                ('a', 1, '0.1.0', now() - interval '2 hours'), ('b', 2, '0.1.0', '-infinity');
            SELECT saga.start('order', '{}'::text); UPDATE saga.state SET owner = 2, due_at = NULL
            """,
            """
            error daemon-lost: the lease of daemon 2 (host a, pid 1) ended 2 h ago, and its row is still there with \
            1 saga -> look for who locks rows of saga.state or saga.daemon (pg_locks), and into the logs of the \
            daemons that are alive
            """,
            """
            warning daemon-lost: the lease of daemon 3 (host b, pid 2) was taken over, and its row is still there with \
            0 sagas -> look for who locks rows of saga.state or saga.daemon (pg_locks), and into the logs of the \
            daemons that are alive
            """),
        Case(
            "a lease of before the clock was set back",
            """
            INSERT INTO saga.daemon (host, pid, version, lease_until) VALUES
                ('a', 1, '0.1.0', now() + interval '2 hours 9 seconds'), ('b', 2, '0.1.0', 'infinity');
            SELECT saga.start('order', '{}'::text); UPDATE saga.state SET owner = 2, due_at = NULL
            """,
            """
            error lease-ahead: the lease of daemon 2 (host a, pid 1) ends in 2 h, as if the database's clock had been \
            set back: until then nobody takes over its 1 saga -> as the schema's owner: UPDATE saga.daemon SET \
            lease_until = now() WHERE id = 2; (one that is alive renews it)
            """,
            """
            warning lease-ahead: the lease of daemon 3 (host b, pid 2) never ends, as if the database's clock had been \
            set back: until then nobody takes over its 0 sagas -> as the schema's owner: UPDATE saga.daemon SET \
            lease_until = now() WHERE id = 3; (one that is alive renews it)
            """),
        Case(
            "daemons of another version", "UPDATE saga.daemon SET version = '0.0.9'",
            """
            warning daemon-versions-differ: this program is 0.1.0, and of the daemons daemon 1 (host h, pid 7): 0.0.9 \
            -> finish the upgrade: restart those with the old program
            """),
    ]

    static let sagas = [
        Case(
            "overdue sagas",
            """
            SELECT saga.start('order', '{}'::text) FROM generate_series(1, 2);
            UPDATE saga.state SET due_at = now() - interval '1 hour'
            """,
            """
            error sagas-overdue: 2 sagas are due and taken up by nobody, the oldest for 1 h: ID; 1 daemon is alive and \
            records nothing -> look into the daemons' logs for why they can't claim or write, then restart them
            """),
        Case(
            "a daemon that hasn't recorded anything for long",
            """
            SELECT saga.start('order', '{}'::text) FROM generate_series(1, 2);
            UPDATE saga.state SET due_at = now() - interval '1 hour';
            UPDATE saga.state SET owner = 1, due_at = NULL, status = 2 WHERE id = (SELECT max(id::text)::uuid FROM saga.state);
            INSERT INTO saga.event (saga_id, sequence, at, type, data)
                SELECT id, 2, now() - interval '30 minutes', 2, '{"step": "reserve", "attempt": 1}'
                FROM saga.state WHERE owner = 1
            """,
            """
            error sagas-overdue: 1 saga is due and taken up by nobody, the oldest for 1 h: ID; 1 daemon is alive and \
            records nothing, last 30 min ago -> look into the daemons' logs for why they can't claim or write, then \
            restart them
            """),
        Case(
            "a backlog that is worked off",
            """
            SELECT saga.start('order', '{}'::text) FROM generate_series(1, 3);
            UPDATE saga.state SET due_at = now() - interval '1 hour';
            UPDATE saga.state SET owner = 1, due_at = NULL, status = 2 WHERE id = (SELECT max(id::text)::uuid FROM saga.state);
            INSERT INTO saga.event (saga_id, sequence, at, type, data)
                SELECT id, 2, now(), 2, '{"step": "reserve", "attempt": 1}' FROM saga.state WHERE owner = 1
            """,
            """
            warning sagas-behind: 2 sagas are due and not yet taken up, the oldest for 1 h: ID; 1 daemon works -> if \
            they don't become fewer: start more daemons, raise --concurrency, or look for a service that is slow or \
            holds calls back (saga status)
            """),
        Case(
            "a backlog behind a slow service, most of it in memory",
            """
            SELECT saga.start('order', '{}'::text) FROM generate_series(1, 4200);
            UPDATE saga.state SET owner = 1, due_at = NULL, status = 2;
            UPDATE saga.state SET owner = NULL, due_at = now() - interval '1 hour', status = 1
                WHERE id = (SELECT min(id::text)::uuid FROM saga.state);
            INSERT INTO saga.event (saga_id, sequence, at, type, data)
                SELECT id, 2, now() - CASE WHEN id = (SELECT max(id::text)::uuid FROM saga.state) THEN interval '5 s'
                    ELSE interval '1 hour' END, 2, '{"step": "reserve", "attempt": 1}'
                FROM saga.state WHERE owner = 1
            """,
            """
            warning sagas-behind: 1 saga is due and not yet taken up, the oldest for 1 h: ID; 1 daemon works -> if \
            they don't become fewer: start more daemons, raise --concurrency, or look for a service that is slow or \
            holds calls back (saga status)
            """),
        Case(
            "nobody to take up what is due",
            """
            SELECT saga.start('order', '{}'::text); UPDATE saga.state SET due_at = now() - interval '1 hour';
            DELETE FROM saga.daemon
            """,
            "error daemon-none: no daemon is alive, and 1 saga hasn't ended -> start sagad",
            """
            error sagas-overdue: 1 saga is due and taken up by nobody, the oldest for 1 h: ID -> start sagad
            """),
        Case(
            "a saga that nobody runs",
            "SELECT saga.start('order', '{}'::text); UPDATE saga.state SET owner = 77, due_at = NULL",
            """
            error sagas-orphaned: 1 saga is owned by a daemon that isn't there (77): nobody runs them, such as ID -> \
            somebody deleted from saga.daemon; as the schema's owner: UPDATE saga.state s SET owner = NULL, due_at = \
            now() WHERE owner IS NOT NULL AND NOT EXISTS (SELECT FROM saga.daemon d WHERE d.id = s.owner);
            """),
        Case(
            "a saga that was set aside",
            """
            SELECT saga.start('order', '{}'::text); UPDATE saga.state SET unreadable = 'odd', due_at = 'infinity'
            """,
            """
            error sagas-unreadable: 1 saga was set aside since no daemon could read it, such as ID: odd -> saga status \
            ID; once a program that can read it runs: saga retry ID
            """),
    ]

    static let others = [
        Case(
            "a breaker that stays open",
            """
            SELECT saga.apply_service('pay', 'http://x', '{}', '{}', false);
            UPDATE saga.service SET state = 'FORCED_OPEN', since = now() - interval '1 hour',
                document = (SELECT document FROM saga.service WHERE name = 'shop') WHERE name = 'pay'
            """,
            """
            warning breaker-open-long: the breaker of service pay (http://x) has been forced open by a person for 1 h, \
            and 0 sagas wait -> when calls may go out again: saga breaker close pay --reason TEXT
            """),
        Case(
            "a breaker that was probed in vain",
            """
            INSERT INTO saga.breaker_event (service_id, sequence, at, type, data)
            SELECT id, n, now() - (6 - n) * interval '1 hour', (ARRAY[1, 3, 1, 2, 1])[n], '{"from": "HALF_OPEN"}'
            FROM saga.service, generate_series(1, 5) n WHERE name = 'shop';
            UPDATE saga.service SET state = 'OPEN', since = now() WHERE name = 'shop'
            """,
            """
            warning breaker-open-long: the breaker of service shop (http://127.0.0.1:9) hasn't been closed for 3 h \
            (OPEN), and 0 sagas wait -> mend the service; it is called again by itself. saga breaker events shop tells \
            what happened
            """),
        Case(
            "a service that can't be read", "UPDATE saga.service SET document = '[]' WHERE name = 'shop'",
            """
            error service-unreadable: the row of service shop can't be read, so its calls wait: REASON -> saga breaker \
            reset shop --reason TEXT
            """),
        Case(
            "a service that can't be read, looked at without JIT",
            """
            UPDATE saga.service SET document = '[]' WHERE name = 'shop'; ALTER TABLE saga.service RENAME TO kept;
            CREATE VIEW saga.service AS SELECT * FROM saga.kept
            WHERE current_setting('jit') = 'off' AND current_setting('lock_timeout') = '2s'
            """,
            """
            error service-unreadable: the row of service shop can't be read, so its calls wait: REASON -> saga breaker \
            reset shop --reason TEXT
            """),
        Case(
            "alerts that nobody takes",
            """
            INSERT INTO saga.alert (event, attempts, created_at) SELECT '{}', n, now() - n * interval '1 hour'
            FROM generate_series(0, 2) n
            """,
            """
            warning alerts-waiting: 2 alerts couldn't be posted, the oldest for 2 h; after 7 days they are dropped -> \
            see the daemons' logs for what the receiver of --alert-url answers
            """),
        Case(
            "days that nobody made",
            """
            DO $$
            DECLARE day text;
            BEGIN
                FOR day IN SELECT to_char(now() AT TIME ZONE 'UTC' + n * interval '1 day', 'YYYYMMDD')
                    FROM generate_series(0, 1) n
                LOOP EXECUTE format('DROP TABLE saga.%I, saga.%I', 'state_' || day, 'event_' || day); END LOOP;
            END
            $$;
            SELECT saga.start('order', '{}'::text)
            """,
            """
            warning partition-missing: no partition takes the sagas of DAY and DAY: they go into the default one, which \
            retention can't drop by day -> as the schema's owner: SELECT saga.ensure_partitions(); (a daemon that is \
            the owner does so hourly)
            """,
            """
            warning partition-default-filled: 1 saga lies in the default partition: retention drops them only all at \
            once, and daemons look through them besides their days -> see that days are made ahead (as the schema's owner: SELECT saga.ensure_partitions(); (a daemon that is the owner does \
            so hourly)); the rows leave together, when the newest of them has ended long enough ago: sagad --retain or \
            saga prune
            """),
        Case(
            "a saga of long ago that hasn't ended",
            """
            DO $$
            DECLARE day constant timestamptz := date_trunc('day', now(), 'UTC') - interval '40 days';
            BEGIN
                PERFORM saga.add_partition('old', format('FOR VALUES FROM (%L) TO (%L)', saga.id_floor(day),
                    saga.id_floor(day + interval '1 day')));
                INSERT INTO saga.state (id, started_at, due_at, definition_id, status)
                    SELECT (left(saga.id_floor(day)::text, 14) || '7000-8000-000000000001')::uuid, day, now(), id, 1 FROM saga.definition;
                INSERT INTO saga.event (saga_id, at, sequence, type, data)
                    SELECT id, started_at, 1, 1, '{"input": {}}' FROM saga.state;
            END
            $$
            """,
            """
            warning partition-pinned: partition old is older than 30 d, and 1 saga of its 1 hasn't ended: the oldest \
            is ID, pending -> see what it waits for: saga status ID
            """),
        Case(
            "a definition that was deleted",
            """
            SELECT saga.start('order', '{}'::text) FROM generate_series(1, 2);
            ALTER TABLE saga.definition DISABLE TRIGGER USER; DELETE FROM saga.current_definition;
            DELETE FROM saga.definition; ALTER TABLE saga.definition ENABLE TRIGGER USER
            """,
            """
            error definition-missing: saga.definition has no row 1, and 2 sagas on it haven't ended, such as ID -> \
            somebody deleted it: restore that row of saga.definition, with its id, from a backup
            """,
            """
            error history-unreadable: this program can't read the history of 2 sagas of 2 (all of them): ID: its \
            definition, 1 in saga.definition, isn't there -> restore that row of saga.definition, with its id, from a \
            backup
            """),
        Case(
            "a definition that was changed",
            """
            SELECT saga.start('order', '{}'::text);
            INSERT INTO saga.event (saga_id, sequence, at, type, data)
                SELECT id, 2, now(), 2, '{"step": "reserve", "attempt": 1}' FROM saga.state;
            UPDATE saga.state SET status = 2; ALTER TABLE saga.definition DISABLE TRIGGER USER;
            UPDATE saga.definition SET document = replace(document::text, '"reserve"', '"take"')::json;
            ALTER TABLE saga.definition ENABLE TRIGGER USER
            """,
            """
            error definition-changed: somebody changed the definition order VERSION (1 in saga.definition): its text \
            isn't what its digest is of, and sagas that ran on the one run on the other -> stop the daemons and put its \
            document back, from a backup or the file that was applied: the trigger definition_immutable has to be \
            switched off for it and on again
            """,
            """
            error history-unreadable: this program can't read the history of 1 saga of 1 (all of them): ID: its \
            definition, 1 in saga.definition, was changed -> restore that row of saga.definition, with its id, from a \
            backup
            """),
        Case(
            "a definition of a later version",
            """
            SELECT saga.apply_definition('later', decode(repeat('ab', 32), 'hex'),
                '{"saga": "later", "steps": [{"name": "a", "action": {"teleport": {}}}]}', true)
            """,
            """
            error definition-unreadable: this program can't read the definition later abababababab: new sagas begin \
            with it, 0 sagas on it haven't ended -> run the version of Saga that registered it, or apply a definition \
            that is valid: saga apply FILE
            """),
    ]
}
