-- What devices said. Natural keys make a redelivered message change nothing.

-- The vocabulary's signals (config/vocabulary.yaml), numbered once and for ever.
CREATE TABLE signal (
    id   smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

-- TimescaleDB is taken where it is loaded and we may create it. Where it is not loaded by the server, trying would
-- end the session; the loader's own setting tells, which everybody may read (shared_preload_libraries may not be).
-- One that is only written in the configuration, with no library to own it, is not in pg_settings.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
       AND EXISTS (SELECT FROM pg_settings WHERE name = 'timescaledb.max_background_workers') THEN
        CREATE EXTENSION IF NOT EXISTS timescaledb;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'TimescaleDB is there but we may not create it: readings are kept in native partitions';
END
$$;

-- Hypertable where TimescaleDB is, native time partitions otherwise; the same queries over both.
-- A boolean is stored as 0 / 1, an enumerated value as its position in the vocabulary's list.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        CREATE TABLE reading (
            community_id int              NOT NULL,
            device_id    int              NOT NULL,
            signal_id    smallint         NOT NULL,
            ts           timestamptz      NOT NULL,
            value        double precision NOT NULL,
            PRIMARY KEY (community_id, device_id, signal_id, ts)
        );
        PERFORM create_hypertable('reading', 'ts', chunk_time_interval => INTERVAL '1 month',
                                  create_default_indexes => false);
    ELSE
        CREATE TABLE reading (
            community_id int              NOT NULL,
            device_id    int              NOT NULL,
            signal_id    smallint         NOT NULL,
            ts           timestamptz      NOT NULL,
            value        double precision NOT NULL,
            PRIMARY KEY (community_id, device_id, signal_id, ts)
        ) PARTITION BY RANGE (ts);
    END IF;
END
$$;

CREATE TABLE event (
    community_id int         NOT NULL,
    device_id    int         NOT NULL,
    code         text        NOT NULL,
    ts           timestamptz NOT NULL,
    detail       text        NOT NULL DEFAULT '',
    PRIMARY KEY (community_id, device_id, code, ts)
);

-- The rules' memory of a device: latest values, timers, phases. The gateway keeps none of it.
-- next_due may be early, never late: whoever wakes recomputes it (this keeps updates HOT).
CREATE TABLE device_state (
    community_id int         NOT NULL,
    device_id    int         NOT NULL REFERENCES device,
    state        jsonb       NOT NULL,
    heard_at     timestamptz,
    online       boolean,
    next_due     timestamptz,
    PRIMARY KEY (community_id, device_id)
) WITH (fillfactor = 50);
CREATE INDEX device_state_due ON device_state (next_due) WHERE next_due IS NOT NULL;

-- A message we could not take, whole, with a reason a person can act on.
CREATE TABLE dead_letter (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL,
    topic       text        NOT NULL,
    payload     bytea       NOT NULL,
    digest      bytea       NOT NULL UNIQUE,   -- sha256 of topic, NUL, payload
    reason      text        NOT NULL,          -- code, e.g. unknown_device
    detail      text        NOT NULL,          -- field, value and what would be right
    resolved_at timestamptz
);
CREATE INDEX dead_letter_waiting ON dead_letter (id) WHERE resolved_at IS NULL;

-- Messages to kiosks and people; published by the worker until the broker acknowledges.
CREATE TABLE outbox (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key          text        NOT NULL UNIQUE,  -- what the message is about; a repeat re-sends the same row
    topic        text        NOT NULL,
    payload      text        NOT NULL,
    created_at   timestamptz NOT NULL,
    attempts     int         NOT NULL DEFAULT 0,
    next_try_at  timestamptz NOT NULL,
    delivered_at timestamptz
);
CREATE INDEX outbox_waiting ON outbox (next_try_at) WHERE delivered_at IS NULL;
