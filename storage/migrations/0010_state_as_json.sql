-- What the rules remember is read and written whole, thousands of times a second, and never searched: as json it is
-- kept as it was sent, where jsonb is taken apart and put together again each time.
ALTER TABLE device_state ALTER COLUMN state TYPE json USING state::json;
