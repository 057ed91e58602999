-- Staff, work orders, offers, plans, maintenance records.

CREATE TABLE staff (
    id      int  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code    text NOT NULL UNIQUE,
    name    text NOT NULL,
    phone   text,
    left_on date
);

CREATE TABLE staff_skill (
    staff_id        int  NOT NULL REFERENCES staff,
    skill           text NOT NULL,
    licence         text,
    licence_expires date,
    PRIMARY KEY (staff_id, skill)
);

CREATE TABLE staff_area (
    staff_id int NOT NULL REFERENCES staff,
    area_id  int NOT NULL REFERENCES area,
    PRIMARY KEY (staff_id, area_id)
);

-- Weekly pattern in the community's time zone; a shift whose end is not after its start ends the next day.
CREATE TABLE shift (
    staff_id int      NOT NULL REFERENCES staff,
    weekday  smallint NOT NULL CHECK (weekday BETWEEN 1 AND 7),  -- ISO: Monday is 1
    starts   time     NOT NULL,
    ends     time     NOT NULL,
    PRIMARY KEY (staff_id, weekday, starts)
);

CREATE TABLE plan (
    id           int   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id int   NOT NULL REFERENCES community,
    code         text  NOT NULL,
    name_zh      text  NOT NULL,
    name_en      text  NOT NULL,
    kind         text  NOT NULL,          -- kind of work, e.g. elevator_maintenance
    skill        text  NOT NULL,
    asset_class  text  NOT NULL,
    every_days   int   NOT NULL CHECK (every_days > 0),
    at_time      time  NOT NULL,
    starts_on    date  NOT NULL,
    todo_zh      text  NOT NULL DEFAULT '',
    todo_en      text  NOT NULL DEFAULT '',
    checklist    jsonb NOT NULL DEFAULT '[]',
    retired_on   date,
    UNIQUE (community_id, code)
);

-- The number people read; gaps do not matter, a repeat would.
CREATE SEQUENCE work_order_number;

CREATE TABLE work_order (
    id               bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id     int         NOT NULL REFERENCES community,
    number           text        NOT NULL UNIQUE,
    alarm_id         bigint      REFERENCES alarm,
    plan_id          int         REFERENCES plan,
    asset_id         int         NOT NULL REFERENCES asset,
    area_id          int         NOT NULL REFERENCES area,
    kind             text        NOT NULL,
    skill            text        NOT NULL,
    severity         text        NOT NULL CHECK (severity IN ('critical', 'major', 'minor', 'info')),
    title_zh         text        NOT NULL,
    title_en         text        NOT NULL,
    what_zh          text        NOT NULL DEFAULT '',
    what_en          text        NOT NULL DEFAULT '',
    todo_zh          text        NOT NULL DEFAULT '',   -- one step a line
    todo_en          text        NOT NULL DEFAULT '',
    safety_zh        text        NOT NULL DEFAULT '',
    safety_en        text        NOT NULL DEFAULT '',
    checklist        jsonb       NOT NULL DEFAULT '[]',
    cancel_on_clear  boolean     NOT NULL DEFAULT false,
    status           text        NOT NULL DEFAULT 'open' CHECK (status IN (
                         'open', 'assigned', 'accepted', 'en_route', 'in_progress', 'on_hold', 'completed',
                         'verified', 'closed', 'cancelled', 'merged', 'reopened')),
    assignee_id      int         REFERENCES staff,
    opened_at        timestamptz NOT NULL,
    opened_by        int,                               -- account that opened it by hand
    round            int         NOT NULL DEFAULT 1,    -- offers already declined in this round exclude their technician
    respond_by       timestamptz,
    arrive_by        timestamptz,
    complete_by      timestamptz,
    progress_by      timestamptz,
    clock            text        NOT NULL DEFAULT 'around_the_clock'
                         CHECK (clock IN ('around_the_clock', 'business_hours')),
    paused_at        timestamptz,                       -- on hold with a reason that stops the clocks
    held_at          timestamptz,                       -- on hold since
    hold_reason      text,
    settled_at       timestamptz,                       -- completed, then verified, at
    merged_into      bigint      REFERENCES work_order,
    escalation_cause text        CHECK (escalation_cause IN (
                         'unaccepted', 'arrive', 'progress', 'complete', 'hold', 'verify')),
    escalation_step  int         NOT NULL DEFAULT 0,    -- rungs of the ladder already climbed
    escalated_at     timestamptz,                       -- when the ladder began
    escalation_zh    text        NOT NULL DEFAULT '',
    escalation_en    text        NOT NULL DEFAULT '',
    due_at           timestamptz,                       -- when the worker looks again
    -- Nothing waits for ever: a live order is always due for somebody's attention.
    CONSTRAINT nothing_waits_for_ever CHECK (
        due_at IS NOT NULL OR status IN ('completed', 'verified', 'closed', 'cancelled', 'merged')),
    CONSTRAINT accepted_has_assignee CHECK (
        assignee_id IS NOT NULL OR status NOT IN ('accepted', 'en_route', 'in_progress', 'on_hold', 'completed')),
    CONSTRAINT held_has_reason CHECK ((status = 'on_hold') = (hold_reason IS NOT NULL)),
    CONSTRAINT only_held_is_paused CHECK (paused_at IS NULL OR status = 'on_hold'),
    CONSTRAINT merged_into_another CHECK ((status = 'merged') = (merged_into IS NOT NULL) AND merged_into <> id)
);
-- One live work order per alarm.
CREATE UNIQUE INDEX work_order_live_alarm ON work_order (alarm_id)
    WHERE alarm_id IS NOT NULL AND status NOT IN ('completed', 'verified', 'closed', 'cancelled', 'merged');
CREATE INDEX work_order_due ON work_order (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX work_order_assignee ON work_order (assignee_id, status);
CREATE INDEX work_order_asset ON work_order (asset_id);
CREATE INDEX work_order_community ON work_order (community_id, opened_at DESC);

-- Every move is a row, and a note is a move from a status to itself.
CREATE TABLE order_move (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id    bigint      NOT NULL REFERENCES work_order,
    from_status text        NOT NULL,
    to_status   text        NOT NULL,
    account_id  int,                                     -- NULL: the system
    at          timestamptz NOT NULL,                    -- server clock
    device_at   timestamptz,                             -- the phone's clock
    why_zh      text        NOT NULL DEFAULT '',
    why_en      text        NOT NULL DEFAULT '',
    request_id  text,                                    -- a repeated tap is answered, not repeated
    UNIQUE (order_id, request_id)
);

CREATE TABLE offer (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id   bigint      NOT NULL REFERENCES work_order,
    staff_id   int         NOT NULL REFERENCES staff,
    round      int         NOT NULL,
    slot       smallint    NOT NULL CHECK (slot IN (1, 2)),   -- a critical order has two at once
    status     text        NOT NULL DEFAULT 'offered'
                   CHECK (status IN ('offered', 'accepted', 'declined', 'expired', 'withdrawn')),
    offered_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    answered_at timestamptz,
    reason_zh  text        NOT NULL DEFAULT '',
    reason_en  text        NOT NULL DEFAULT '',
    chosen_by  int,                                            -- account that chose the technician by hand
    why        jsonb       NOT NULL                            -- the explanation kept with the offer: {"zh", "en", …}
);
CREATE UNIQUE INDEX offer_live_slot ON offer (order_id, slot) WHERE status = 'offered';
CREATE UNIQUE INDEX offer_live_staff ON offer (order_id, staff_id) WHERE status = 'offered';
CREATE UNIQUE INDEX offer_accepted ON offer (order_id, round) WHERE status = 'accepted';
CREATE INDEX offer_staff ON offer (staff_id) WHERE status = 'offered';
CREATE INDEX offer_order ON offer (order_id, round);
CREATE INDEX order_move_order ON order_move (order_id, id);

-- One row per plan, asset and due date: a plan's order is opened once, also after downtime.
CREATE TABLE plan_run (
    plan_id  int    NOT NULL REFERENCES plan,
    asset_id int    NOT NULL REFERENCES asset,
    due_on   date   NOT NULL,
    order_id bigint REFERENCES work_order,               -- NULL: missed while we were down, said so
    PRIMARY KEY (plan_id, asset_id, due_on)
);

CREATE TABLE photo (
    sha256   text        PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    mime     text        NOT NULL,
    content  bytea       NOT NULL
);
CREATE TABLE order_photo (
    order_id bigint      NOT NULL REFERENCES work_order,
    sha256   text        NOT NULL REFERENCES photo,
    taken_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, sha256)
);

-- What was done. body is the canonical JSON (RFC 8785) that hash covers, together with prev_hash.
CREATE TABLE maintenance_record (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id int         NOT NULL REFERENCES community,
    seq          bigint      NOT NULL,
    order_id     bigint      NOT NULL REFERENCES work_order,
    asset_id     int         NOT NULL REFERENCES asset,
    kind         text        NOT NULL,
    staff_id     int         NOT NULL REFERENCES staff,
    completed_at timestamptz NOT NULL,
    body         text        NOT NULL,
    prev_hash    text        NOT NULL,
    hash         text        NOT NULL,
    delivered    boolean     NOT NULL DEFAULT true, -- false: the work could not be done; no evidence of a promise kept
    supersedes   bigint      UNIQUE REFERENCES maintenance_record,  -- a reopened order's record corrects the earlier one
    UNIQUE (community_id, seq),
    UNIQUE (community_id, prev_hash)                     -- a chain does not fork
);
-- One record an order; a further one only as the correction of the one before.
CREATE UNIQUE INDEX maintenance_record_once ON maintenance_record (order_id) WHERE supersedes IS NULL;
CREATE INDEX maintenance_record_evidence ON maintenance_record (community_id, kind, completed_at);
CREATE INDEX maintenance_record_asset ON maintenance_record (asset_id, completed_at);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: a correction is a new row', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER maintenance_record_immutable BEFORE UPDATE OR DELETE ON maintenance_record
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER maintenance_record_untruncated BEFORE TRUNCATE ON maintenance_record
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER order_move_immutable BEFORE UPDATE OR DELETE ON order_move
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER order_move_untruncated BEFORE TRUNCATE ON order_move
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
