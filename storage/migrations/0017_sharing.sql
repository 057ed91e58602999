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
