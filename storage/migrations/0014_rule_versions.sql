-- Rules that were switched on while the house runs: every version with who, when and why, and trials of changed rules.

-- A version replaces the rule file of its name until the next one. The newest counts; `text` NULL: the file again.
CREATE TABLE rule_version (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file       text        NOT NULL CHECK (file ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$'),
    version    int         NOT NULL CHECK (version > 0),
    text       text,
    shipped    text,                                      -- the file as it stood then: a newer release is noticed
    back_to    int         CHECK (back_to >= 0),          -- whose words it repeats; 0: the file's
    reason     text        NOT NULL CHECK (reason <> ''),
    account_id int         REFERENCES account,            -- NULL: at the command line
    made_by    text        NOT NULL CHECK (made_by <> ''),
    made_at    timestamptz NOT NULL,
    CHECK (text IS NOT NULL OR shipped IS NOT NULL),
    UNIQUE (file, version)                                -- whoever edits an older one is told, not overruled
);
CREATE TRIGGER rule_version_immutable BEFORE UPDATE OR DELETE ON rule_version
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rule_version_untruncated BEFORE TRUNCATE ON rule_version
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Counts switches. Apart from registry_version: whoever adds a device and then takes its messages would wait for a
-- switch that waits for the very row it has changed.
CREATE TABLE rule_switches (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    count  bigint  NOT NULL
);
INSERT INTO rule_switches (count) VALUES (0);
CREATE FUNCTION count_rule_switch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE rule_switches SET count = count + 1;
    RETURN NULL;
END
$$;
CREATE TRIGGER rule_version_counted AFTER INSERT ON rule_version
    FOR EACH STATEMENT EXECUTE FUNCTION count_rule_switch();

-- What counts for this transaction until it ends: rules are not switched while it runs, so one batch has one book.
-- plpgsql, because its second statement sees what was committed while the first one waited.
CREATE FUNCTION registry_now(OUT version bigint, OUT rules bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1920298085);     -- "rule"
    SELECT r.version, s.count INTO version, rules FROM registry_version r, rule_switches s;
END
$$;

-- Changed rules tried on what is stored, in the background. Whoever works on one says so (`beat_at`).
CREATE TABLE rule_trial (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file       text        NOT NULL,
    base       int         NOT NULL CHECK (base >= 0),    -- the version that was being edited
    text       text        NOT NULL,
    from_at    timestamptz NOT NULL,
    to_at      timestamptz NOT NULL,
    account_id int         NOT NULL REFERENCES account,
    asked_at   timestamptz NOT NULL,
    status     text        NOT NULL DEFAULT 'waiting'
               CHECK (status IN ('waiting', 'running', 'done', 'failed', 'cancelled')),
    beat_at    timestamptz,
    attempts   int         NOT NULL DEFAULT 0,
    share      real        NOT NULL DEFAULT 0 CHECK (share BETWEEN 0 AND 1),
    readings   bigint      NOT NULL DEFAULT 0,
    result     jsonb,
    trouble    text        NOT NULL DEFAULT '',
    ended_at   timestamptz,
    CHECK (to_at > from_at),
    CHECK ((status = 'done') = (result IS NOT NULL)),
    CHECK ((status IN ('done', 'failed', 'cancelled')) = (ended_at IS NOT NULL))
);
CREATE INDEX rule_trial_live ON rule_trial (id) WHERE status IN ('waiting', 'running');
