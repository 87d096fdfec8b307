-- Retention, the second step: reads both tables once, while everybody goes on reading and writing.

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_constraint
        WHERE conrelid = 'saga.event'::regclass AND conname = 'event_bound') THEN
        ALTER TABLE saga.state VALIDATE CONSTRAINT state_bound;
        ALTER TABLE saga.event VALIDATE CONSTRAINT event_bound;
    END IF;
END
$$;

-- Since 009 it holds for new rows only; a partition has to have it whole.
ALTER TABLE saga.event VALIDATE CONSTRAINT event_type_known;
