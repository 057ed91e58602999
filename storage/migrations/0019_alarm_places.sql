-- An alarm is about the asset that its device watched when it was raised, wherever the device is used afterwards.

ALTER TABLE alarm
    ADD COLUMN asset_id int  REFERENCES asset,               -- NULL: its device watched none
    ADD COLUMN ended_zh text NOT NULL DEFAULT '',            -- why it ended where no rule found it over
    ADD COLUMN ended_en text NOT NULL DEFAULT '',
    ADD CONSTRAINT ended_says_why CHECK ((ended_zh = '') = (ended_en = ''));

-- Of alarms raised before this, what was kept: the order one opened, what people changed about its device since,
-- or where the device is now.
UPDATE alarm SET asset_id = coalesce(
    (SELECT o.asset_id FROM work_order AS o WHERE o.alarm_id = alarm.id ORDER BY o.id LIMIT 1),
    (SELECT (c.before ->> 'asset_id')::int FROM device_change AS c
      WHERE c.device_id = alarm.device_id AND c.at > alarm.raised_at
        AND c.before ->> 'asset_id' IS DISTINCT FROM c.after ->> 'asset_id'
      ORDER BY c.id LIMIT 1),
    (SELECT d.asset_id FROM device AS d WHERE d.id = alarm.device_id));

CREATE INDEX alarm_asset ON alarm (asset_id, raised_at DESC);
CREATE INDEX alarm_asset_live ON alarm (asset_id) WHERE cleared_at IS NULL;

-- Whoever writes an alarm without saying what it is about: it is about what its device watches.
CREATE FUNCTION place_alarm() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT asset_id INTO NEW.asset_id FROM device WHERE id = NEW.device_id;
    RETURN NEW;
END
$$;
CREATE TRIGGER alarm_placed BEFORE INSERT ON alarm
    FOR EACH ROW WHEN (NEW.asset_id IS NULL) EXECUTE FUNCTION place_alarm();

-- Where the device stood of which this is the memory: who knows it elsewhere is behind. Changed under the lock of
-- the row, so that whoever waited for it reads the present ones.
ALTER TABLE device_state
    ADD COLUMN asset_id int,
    ADD COLUMN since    timestamptz,                         -- what it said of earlier times says nothing of this place
    ADD COLUMN retired  boolean NOT NULL DEFAULT false;      -- nothing it says is judged
UPDATE device_state SET asset_id = device.asset_id FROM device WHERE device.id = device_state.device_id;

CREATE OR REPLACE FUNCTION remember_device() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO device_state (community_id, device_id, state, asset_id)
    VALUES (NEW.community_id, NEW.id, '{}', NEW.asset_id);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION tell_alarms_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO alarm_event (alarm_id, community_id, kind, at, recorded_at, severity, why_zh, why_en)
    SELECT id, community_id, kind, at, known, severity, why_zh, why_en
      FROM (SELECT a.id, a.community_id, a.severity, 1 AS n, 'severity' AS kind,
                   coalesce(a.severity_at, now()) AS at, greatest(a.severity_at, now()) AS known,
                   '' AS why_zh, '' AS why_en
              FROM after AS a JOIN before AS b ON b.id = a.id WHERE a.severity <> b.severity
            UNION ALL
            -- Raised at another time, not over after all, or over at another time: said with the time that holds.
            SELECT a.id, a.community_id, a.severity, 2, 'corrected',
                   coalesce(CASE WHEN b.cleared_at IS NOT NULL THEN a.cleared_at END, a.raised_at), now(), '', ''
              FROM after AS a JOIN before AS b ON b.id = a.id
             WHERE a.raised_at <> b.raised_at
                OR (b.cleared_at IS NOT NULL AND a.cleared_at IS DISTINCT FROM b.cleared_at)
            UNION ALL
            SELECT a.id, a.community_id, a.severity, 3,
                   CASE WHEN EXISTS (SELECT FROM alarm_event AS e WHERE e.alarm_id = a.id AND e.kind = 'cleared')
                        THEN 'corrected' ELSE 'cleared' END,
                   a.cleared_at, coalesce(a.cleared_known_at, greatest(a.cleared_at, a.recorded_at)),
                   a.ended_zh, a.ended_en
              FROM after AS a JOIN before AS b ON b.id = a.id
             WHERE a.cleared_at IS NOT NULL AND b.cleared_at IS NULL) AS happened
     ORDER BY id, n;
    RETURN NULL;
END
$$;
