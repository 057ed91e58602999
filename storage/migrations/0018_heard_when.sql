-- What a replay needs beyond what devices measured: when it was heard, where that was later, and who was gone.

-- A moment a device told of more than a minute after it happened. What is not here was heard as it happened.
CREATE TABLE heard_late (
    community_id int         NOT NULL,
    device_id    int         NOT NULL,
    ts           timestamptz NOT NULL,   -- event time
    heard_at     timestamptz NOT NULL,   -- our clock
    PRIMARY KEY (community_id, device_id, ts),
    CHECK (heard_at > ts)
);

-- The device, or the broker on its behalf, said that it is there or gone. That it is there whatever it says shows, too.
CREATE TABLE presence (
    community_id int         NOT NULL,
    device_id    int         NOT NULL,
    heard_at     timestamptz NOT NULL,   -- our clock
    online       boolean     NOT NULL,
    PRIMARY KEY (community_id, device_id, heard_at)
);

-- From when on both are kept: of what was heard before nothing is known.
CREATE TABLE heard_since (
    single boolean     PRIMARY KEY DEFAULT true CHECK (single),
    at     timestamptz NOT NULL
);
INSERT INTO heard_since (at) VALUES (now());
