-- Roll-ups of readings by the hour and by the day, for charts of a month and a year. Ours on every edition:
-- exact at any moment, late readings included. docs/decisions/roll-ups.md says how and why.

CREATE TABLE reading_hour (
    community_id int              NOT NULL,
    device_id    int              NOT NULL,
    start        timestamptz      NOT NULL,
    sum          double precision NOT NULL,
    minimum      double precision NOT NULL,
    maximum      double precision NOT NULL,
    count        int              NOT NULL CHECK (count > 0),
    signal_id    smallint         NOT NULL,
    PRIMARY KEY (community_id, device_id, signal_id, start)
);
CREATE TABLE reading_day (LIKE reading_hour INCLUDING ALL);

-- How far each level is rolled up: from `since` until `until`, both whole steps of the level. A row is missing
-- there only if nothing was heard. 1900 stands for "before every reading".
CREATE TABLE rollup_level (
    name  text        PRIMARY KEY CHECK (name IN ('hour', 'day')),
    since timestamptz NOT NULL DEFAULT '1900-01-01T00:00:00Z',
    until timestamptz NOT NULL DEFAULT '1900-01-01T00:00:00Z',
    CHECK (until >= since)
);
INSERT INTO rollup_level (name) VALUES ('hour'), ('day');

-- What writers and the worker agree on. Whoever writes a reading from before `announced` leaves a mark below.
-- Once every transaction before `horizon` has ended, all who read an older announcement have, too: then the
-- announced stretch is `settled` and may be rolled up. Readings from before `raw_from` were dropped.
CREATE TABLE rollup_progress (
    single    boolean     PRIMARY KEY DEFAULT true CHECK (single),
    announced timestamptz NOT NULL DEFAULT '1900-01-01T00:00:00Z',
    horizon   xid8,
    settled   timestamptz NOT NULL DEFAULT '1900-01-01T00:00:00Z',
    raw_from  timestamptz NOT NULL DEFAULT '1900-01-01T00:00:00Z',
    CHECK (settled <= announced)
);
INSERT INTO rollup_progress DEFAULT VALUES;

-- Hours that got a reading after they were announced; the worker rolls them up again, charts read them raw until
-- then. Only ever inserted by writers, never updated: nobody waits for anybody here.
CREATE TABLE rollup_late (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id int         NOT NULL,
    device_id    int         NOT NULL,
    signal_id    smallint    NOT NULL,
    hour         timestamptz NOT NULL
);
CREATE INDEX rollup_late_of ON rollup_late (community_id, device_id, signal_id);
CREATE INDEX rollup_late_hour ON rollup_late (hour);
