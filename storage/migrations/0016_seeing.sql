-- Seeing inside: which processes run and what they count, and one id from a message to what came of it.

-- One row a run of a process, written again every few seconds: who falls silent without a goodbye has died.
CREATE TABLE process (
    id         uuid        PRIMARY KEY,
    roles      text[]      NOT NULL CHECK (roles <@ ARRAY['gateway', 'worker', 'web'] AND cardinality(roles) > 0),
    name       text        NOT NULL DEFAULT '',   -- a gateway's name at the broker
    host       text        NOT NULL,
    pid        int         NOT NULL,
    version    text        NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    stopped_at timestamptz,                        -- ended as it was told to
    figures    jsonb       NOT NULL DEFAULT '{}'
);
CREATE INDEX process_seen ON process (seen_at);

-- The message that raised it: the first 16 hexadecimal digits of the digest a dead letter has of the same message.
-- A finding that no message made, as a silence, has an id of its own.
ALTER TABLE alarm ADD COLUMN trace text;
CREATE INDEX alarm_trace ON alarm (trace) WHERE trace IS NOT NULL;
