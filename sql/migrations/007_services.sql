-- What daemons share of the services that sagas call.

DO $$ BEGIN END $$;
