-- A rule's finding on a device. Texts are copied: an alarm reads the same after its rule changed.

CREATE TABLE alarm (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id int         NOT NULL REFERENCES community,
    device_id    int         NOT NULL REFERENCES device,
    rule         text        NOT NULL,
    severity     text        NOT NULL CHECK (severity IN ('critical', 'major', 'minor', 'info')),
    title_zh     text        NOT NULL,
    title_en     text        NOT NULL,
    meaning_zh   text        NOT NULL,
    meaning_en   text        NOT NULL,
    facts        jsonb       NOT NULL DEFAULT '{}',  -- the signals' values when raised
    raised_at    timestamptz NOT NULL,               -- event time
    recorded_at  timestamptz NOT NULL,               -- our clock
    paged_at     timestamptz,                        -- when people were told; NULL for findings about the past
    cleared_at   timestamptz,                        -- event time
    CHECK (cleared_at >= raised_at)
);
-- One live alarm per (device, rule), whoever races.
CREATE UNIQUE INDEX alarm_live ON alarm (device_id, rule) WHERE cleared_at IS NULL;
CREATE INDEX alarm_recent ON alarm (community_id, raised_at DESC);

-- Every device has its place to be remembered from the start: whoever hears it finds a row to lock.
CREATE FUNCTION remember_device() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO device_state (community_id, device_id, state) VALUES (NEW.community_id, NEW.id, '{}');
    RETURN NULL;
END
$$;
CREATE TRIGGER device_remembered AFTER INSERT ON device FOR EACH ROW EXECUTE FUNCTION remember_device();
