-- What a person has to be told of, until it is delivered.

DO $$ BEGIN END $$;
