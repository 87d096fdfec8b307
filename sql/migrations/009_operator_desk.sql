-- What operators may do beside what 002 knows.

DO $$ BEGIN END $$;
