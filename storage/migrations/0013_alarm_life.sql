-- The life of an alarm between the rules and people: held back, muted, grouped, acknowledged; and its history.

ALTER TABLE alarm
    ADD COLUMN severity_at      timestamptz,                 -- event time of its latest change of severity
    ADD COLUMN cleared_known_at timestamptz,                 -- our clock when we knew that it was over
    ADD COLUMN held_at          timestamptz,                 -- our clock: people are kept from it since
    ADD COLUMN held_by          text CHECK (held_by IN ('mute', 'inspection', 'order', 'parent', 'alarm', 'emergency')),
    ADD COLUMN held_zh          text NOT NULL DEFAULT '',
    ADD COLUMN held_en          text NOT NULL DEFAULT '',
    ADD CONSTRAINT held_says_why CHECK (
        (held_at IS NULL) = (held_by IS NULL) AND (held_at IS NULL) = (held_zh = '') AND (held_at IS NULL) = (held_en = ''));
-- What the worker looks at again: live and held back.
CREATE INDEX alarm_held ON alarm (id) WHERE held_at IS NOT NULL AND cleared_at IS NULL;
CREATE INDEX alarm_device ON alarm (device_id, raised_at DESC);

-- A whole community in an emergency: what is not urgent waits until the office ends it.
CREATE TABLE emergency (
    id           int         GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id int         NOT NULL REFERENCES community,
    kind         text        NOT NULL CHECK (kind IN ('storm', 'flood', 'earthquake', 'epidemic', 'power', 'other')),
    reason       text        NOT NULL CHECK (reason <> ''),
    declared_at  timestamptz NOT NULL,
    account_id   int         REFERENCES account,             -- NULL: at the command line
    name         text        NOT NULL CHECK (name <> ''),    -- who declared it
    ended_at     timestamptz,
    ended_name   text        CHECK (ended_name <> ''),
    ended_reason text        CHECK (ended_reason <> ''),
    CHECK (ended_at >= declared_at),
    CHECK ((ended_at IS NULL) = (ended_name IS NULL) AND (ended_at IS NULL) = (ended_reason IS NULL))
);
-- One at a time: a second declaration is refused, not laid over the first.
CREATE UNIQUE INDEX emergency_live ON emergency (community_id) WHERE ended_at IS NULL;

-- "Do not call anybody about this until then." What is left NULL does not matter for the match.
CREATE TABLE mute (
    id           int         GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id int         NOT NULL REFERENCES community,
    rule         text        CHECK (rule <> ''),
    asset_id     int         REFERENCES asset,
    area_id      int         REFERENCES area,
    why          text        NOT NULL CHECK (why <> ''),
    account_id   int         REFERENCES account,             -- NULL: at the command line
    name         text        NOT NULL CHECK (name <> ''),    -- who muted it
    at           timestamptz NOT NULL,
    until        timestamptz NOT NULL,                       -- a mute without an end would be forgotten
    lifted_at    timestamptz,
    lifted_name  text        CHECK (lifted_name <> ''),
    request_id   text        UNIQUE,                         -- the tap: repeated, it mutes nothing twice
    CHECK (until > at AND until <= at + interval '90 days'),
    CHECK (asset_id IS NULL OR area_id IS NULL),
    CHECK ((lifted_at IS NULL) = (lifted_name IS NULL))
);
CREATE INDEX mute_standing ON mute (community_id, until) WHERE lifted_at IS NULL;

-- "I am on it until then." Where nobody follows up by then, people are told again, until somebody does.
CREATE TABLE alarm_ack (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alarm_id     bigint      NOT NULL REFERENCES alarm,
    community_id int         NOT NULL REFERENCES community,
    account_id   int         REFERENCES account,             -- NULL: at the command line
    name         text        NOT NULL CHECK (name <> ''),
    words        text        NOT NULL DEFAULT '',
    at           timestamptz NOT NULL,
    until        timestamptz NOT NULL,
    expired_at   timestamptz,
    reminded     int         NOT NULL DEFAULT 0 CHECK (reminded >= 0),
    look_at      timestamptz,                                -- when the worker looks again
    ended_at     timestamptz,
    ended_by     text        CHECK (ended_by IN ('cleared', 'followed_up', 'replaced', 'withdrawn')),
    CHECK (until > at AND until <= at + interval '7 days'),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    -- Nothing waits for ever: what has not ended is looked at again.
    CONSTRAINT ack_is_looked_after CHECK ((ended_at IS NULL) = (look_at IS NOT NULL))
);
CREATE UNIQUE INDEX alarm_ack_live ON alarm_ack (alarm_id) WHERE ended_at IS NULL;
CREATE INDEX alarm_ack_due ON alarm_ack (look_at) WHERE look_at IS NOT NULL;

-- The alarms an order is about: the one that opened it (work_order.alarm_id) and those that joined it.
CREATE TABLE alarm_order (
    order_id bigint      NOT NULL REFERENCES work_order,
    alarm_id bigint      NOT NULL REFERENCES alarm,
    at       timestamptz NOT NULL,
    live     boolean     NOT NULL,                           -- the order is not over; kept by the triggers below
    PRIMARY KEY (order_id, alarm_id)
);
-- One live order an alarm, whoever races: the same promise as work_order_live_alarm, for all alarms of an order.
CREATE UNIQUE INDEX alarm_order_live ON alarm_order (alarm_id) WHERE live;
CREATE INDEX alarm_order_alarm ON alarm_order (alarm_id);
-- Where an alarm looks for an order it may join.
ALTER TABLE work_order ADD COLUMN joinable boolean NOT NULL DEFAULT false;
CREATE INDEX work_order_joinable ON work_order (area_id, kind, opened_at)
    WHERE joinable AND status NOT IN ('completed', 'verified', 'closed', 'cancelled', 'merged');

CREATE FUNCTION order_is_live(status text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT status NOT IN ('completed', 'verified', 'closed', 'cancelled', 'merged')
$$;

INSERT INTO alarm_order (order_id, alarm_id, at, live)
SELECT id, alarm_id, opened_at, order_is_live(status) FROM work_order WHERE alarm_id IS NOT NULL;

-- What happened to an alarm, in order. `at`: event time where a device said so, else our clock.
CREATE TABLE alarm_event (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alarm_id     bigint      NOT NULL REFERENCES alarm,
    community_id int         NOT NULL,
    kind         text        NOT NULL CHECK (kind IN (
                     'raised', 'paged', 'held', 'muted', 'severity', 'ordered', 'acknowledged', 'ack_withdrawn',
                     'ack_expired', 'followed_up', 'reminded', 'cleared')),
    at           timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,                       -- our clock
    severity     text        NOT NULL,                       -- as it was then
    account_id   int         REFERENCES account,             -- NULL: a device, a rule, or the command line
    name         text        NOT NULL DEFAULT '',
    order_id     bigint      REFERENCES work_order,
    why_zh       text        NOT NULL DEFAULT '',
    why_en       text        NOT NULL DEFAULT ''
);
CREATE INDEX alarm_event_alarm ON alarm_event (alarm_id, id);
CREATE INDEX alarm_event_community ON alarm_event (community_id, recorded_at);
-- An alarm begins once and ends once.
CREATE UNIQUE INDEX alarm_event_once ON alarm_event (alarm_id, kind) WHERE kind IN ('raised', 'cleared');
CREATE TRIGGER alarm_event_immutable BEFORE UPDATE OR DELETE ON alarm_event
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER alarm_event_untruncated BEFORE TRUNCATE ON alarm_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

INSERT INTO alarm_event (alarm_id, community_id, kind, at, recorded_at, severity)
SELECT id, community_id, kind, at, known, severity
  FROM (SELECT id, community_id, severity, 1 AS n, 'raised' AS kind, raised_at AS at, recorded_at AS known FROM alarm
        UNION ALL
        SELECT id, community_id, severity, 2, 'paged', paged_at, paged_at FROM alarm WHERE paged_at IS NOT NULL
        UNION ALL
        SELECT id, community_id, severity, 3, 'cleared', cleared_at, greatest(cleared_at, recorded_at)
          FROM alarm WHERE cleared_at IS NOT NULL) AS known_events
 ORDER BY id, n;

-- No alarm is raised, changed or ended without its line of history, whoever writes it: one statement for all its rows.
CREATE FUNCTION tell_alarms_begun() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO alarm_event (alarm_id, community_id, kind, at, recorded_at, severity)
    SELECT id, community_id, kind, at, known, severity
      FROM (SELECT id, community_id, severity, 1 AS n, 'raised' AS kind, raised_at AS at, recorded_at AS known
              FROM fresh
            UNION ALL
            SELECT id, community_id, severity, 2, 'cleared', cleared_at,
                   coalesce(cleared_known_at, greatest(cleared_at, recorded_at))
              FROM fresh WHERE cleared_at IS NOT NULL) AS happened
     ORDER BY id, n;
    RETURN NULL;
END
$$;
CREATE TRIGGER alarm_begun AFTER INSERT ON alarm REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION tell_alarms_begun();

CREATE FUNCTION tell_alarms_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO alarm_event (alarm_id, community_id, kind, at, recorded_at, severity)
    SELECT id, community_id, kind, at, known, severity
      FROM (SELECT a.id, a.community_id, a.severity, 1 AS n, 'severity' AS kind,
                   coalesce(a.severity_at, now()) AS at, greatest(a.severity_at, now()) AS known
              FROM after AS a JOIN before AS b ON b.id = a.id WHERE a.severity <> b.severity
            UNION ALL
            SELECT a.id, a.community_id, a.severity, 2, 'cleared', a.cleared_at,
                   coalesce(a.cleared_known_at, greatest(a.cleared_at, a.recorded_at))
              FROM after AS a JOIN before AS b ON b.id = a.id
             WHERE a.cleared_at IS NOT NULL AND b.cleared_at IS NULL) AS happened
     ORDER BY id, n;
    RETURN NULL;
END
$$;
CREATE TRIGGER alarm_changed AFTER UPDATE ON alarm REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION tell_alarms_changed();

-- An order knows its alarms from the moment it is opened, and gives them free when it is over.
CREATE FUNCTION link_alarm_of_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO alarm_order (order_id, alarm_id, at, live)
    VALUES (NEW.id, NEW.alarm_id, NEW.opened_at, order_is_live(NEW.status))
    ON CONFLICT (order_id, alarm_id) DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER order_linked AFTER INSERT ON work_order
    FOR EACH ROW WHEN (NEW.alarm_id IS NOT NULL) EXECUTE FUNCTION link_alarm_of_order();

CREATE FUNCTION free_alarms_of_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE alarm_order SET live = order_is_live(NEW.status) WHERE order_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER order_frees_alarms AFTER UPDATE OF status ON work_order
    FOR EACH ROW WHEN (order_is_live(OLD.status) <> order_is_live(NEW.status)) EXECUTE FUNCTION free_alarms_of_order();

CREATE FUNCTION tell_alarms_ordered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO alarm_event (alarm_id, community_id, kind, at, recorded_at, severity, order_id)
    SELECT a.id, a.community_id, 'ordered', l.at, l.at, a.severity, l.order_id
      FROM linked AS l JOIN alarm AS a ON a.id = l.alarm_id
     ORDER BY a.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER alarm_ordered AFTER INSERT ON alarm_order REFERENCING NEW TABLE AS linked
    FOR EACH STATEMENT EXECUTE FUNCTION tell_alarms_ordered();
