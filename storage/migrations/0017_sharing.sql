-- Where gateways share messages they commit them in any order: what a device said lately is kept, with what its
-- rules knew before that, so that a message which was overtaken can be put where it belongs (rules/rewind.py).
ALTER TABLE device_state
    ADD COLUMN base    json,           -- the rules' memory before all that is in `hearing`; NULL: nothing is kept
    ADD COLUMN base_at timestamptz;    -- our clock when it was taken

CREATE TABLE hearing (
    community_id int    NOT NULL,
    device_id    int    NOT NULL,
    at           bigint NOT NULL,      -- event time, microseconds since 1970, as the engine counts
    received     bigint NOT NULL,      -- our clock
    said         json   NOT NULL,      -- {"values": …, "events": …}
    FOREIGN KEY (community_id, device_id) REFERENCES device_state ON DELETE CASCADE
);
CREATE INDEX hearing_device ON hearing (community_id, device_id, at);

-- An alarm may turn out to have been raised, or to have ended, at another time than was thought, or not at all.
ALTER TABLE alarm_event
    DROP CONSTRAINT alarm_event_kind_check,
    ADD CONSTRAINT alarm_event_kind_check CHECK (kind IN (
        'raised', 'paged', 'held', 'muted', 'severity', 'ordered', 'acknowledged', 'ack_withdrawn',
        'ack_expired', 'followed_up', 'reminded', 'cleared', 'corrected'));

CREATE OR REPLACE FUNCTION tell_alarms_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO alarm_event (alarm_id, community_id, kind, at, recorded_at, severity)
    SELECT id, community_id, kind, at, known, severity
      FROM (SELECT a.id, a.community_id, a.severity, 1 AS n, 'severity' AS kind,
                   coalesce(a.severity_at, now()) AS at, greatest(a.severity_at, now()) AS known
              FROM after AS a JOIN before AS b ON b.id = a.id WHERE a.severity <> b.severity
            UNION ALL
            -- Raised at another time, not over after all, or over at another time: said with the time that holds.
            SELECT a.id, a.community_id, a.severity, 2, 'corrected',
                   coalesce(CASE WHEN b.cleared_at IS NOT NULL THEN a.cleared_at END, a.raised_at), now()
              FROM after AS a JOIN before AS b ON b.id = a.id
             WHERE a.raised_at <> b.raised_at
                OR (b.cleared_at IS NOT NULL AND a.cleared_at IS DISTINCT FROM b.cleared_at)
            UNION ALL
            SELECT a.id, a.community_id, a.severity, 3,
                   CASE WHEN EXISTS (SELECT FROM alarm_event AS e WHERE e.alarm_id = a.id AND e.kind = 'cleared')
                        THEN 'corrected' ELSE 'cleared' END,
                   a.cleared_at, coalesce(a.cleared_known_at, greatest(a.cleared_at, a.recorded_at))
              FROM after AS a JOIN before AS b ON b.id = a.id
             WHERE a.cleared_at IS NOT NULL AND b.cleared_at IS NULL) AS happened
     ORDER BY id, n;
    RETURN NULL;
END
$$;
