-- Devices registered by people: what they changed, what the broker is to know, and strangers that became devices.

-- Every change of a device made by a person, with the row before and after it, so that it can be undone.
-- Never updated: undoing is a change of its own.
CREATE TABLE device_change (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id  int         NOT NULL REFERENCES device,
    at         timestamptz NOT NULL,
    account_id int         REFERENCES account,  -- NULL: at the command line
    via        text        NOT NULL CHECK (via IN ('page', 'import', 'adoption', 'command')),
    what       text        NOT NULL CHECK (what IN ('added', 'changed', 'retired', 'brought_back', 'undone')),
    before     jsonb,                           -- NULL: it was added
    after      jsonb       NOT NULL,
    undoes     bigint      UNIQUE REFERENCES device_change,
    CHECK ((what = 'added') = (before IS NULL)),
    CHECK ((what = 'undone') = (undoes IS NOT NULL))
);
CREATE INDEX device_change_device ON device_change (device_id, id);

-- Who may speak to the broker. A device's name is COMMUNITY/DEVICE; nobody else's has a slash before its end.
-- The secret itself is kept nowhere: `hash` is what Mosquitto compares with.
CREATE TABLE broker_credential (
    id           int         GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username     text        NOT NULL UNIQUE CHECK (username ~ '^[A-Za-z0-9][A-Za-z0-9._/-]{0,126}$'),
    role         text        NOT NULL CHECK (role IN ('device', 'gateway', 'worker', 'site', 'network_server',
                                                      'technician', 'office', 'bridge')),
    device_id    int         UNIQUE REFERENCES device,
    staff_id     int         UNIQUE REFERENCES staff,
    community_id int         REFERENCES community,
    hash         text        NOT NULL CHECK (hash LIKE '$7$%'),
    issued_at    timestamptz NOT NULL,
    revoked_at   timestamptz,
    CHECK ((role = 'device') = (device_id IS NOT NULL)),
    CHECK ((role = 'technician') = (staff_id IS NOT NULL)),
    CHECK ((role IN ('office', 'bridge')) = (community_id IS NOT NULL))
);

CREATE TABLE broker_credential_event (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    credential_id int         NOT NULL REFERENCES broker_credential,
    what          text        NOT NULL CHECK (what IN ('issued', 'rotated', 'revoked')),
    at            timestamptz NOT NULL,
    account_id    int         REFERENCES account
);
CREATE INDEX broker_credential_event_credential ON broker_credential_event (credential_id, id);

-- Who sent a message that nobody could place: a native topic's community and device, or a DevEUI.
-- Words of gateway/registry.py: a LoRaWAN topic may name its device by an id of the network server's own.
ALTER TABLE dead_letter ADD COLUMN speaker text GENERATED ALWAYS AS (
    CASE WHEN reason <> 'unknown_device' THEN NULL
         WHEN topic LIKE 'clerestory/%' THEN 'clerestory/' || split_part(topic, '/', 2) || '/' || split_part(topic, '/', 3)
         ELSE 'eui/' || substring(detail from '^no device has DevEUI ([0-9a-f]{16});')
    END) STORED;
CREATE INDEX dead_letter_stranger ON dead_letter (received_at)
    WHERE resolved_at IS NULL AND reason = 'unknown_device';
CREATE INDEX dead_letter_speaker ON dead_letter (speaker, received_at, id)
    WHERE resolved_at IS NULL AND reason = 'unknown_device';

CREATE TABLE stranger_ignored (
    speaker    text        PRIMARY KEY,
    at         timestamptz NOT NULL,
    account_id int         REFERENCES account
);

-- A device was registered whose messages had come already: the worker takes them, oldest first.
CREATE TABLE adoption (
    id         int         GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id  int         NOT NULL REFERENCES device,
    speaker    text        NOT NULL,
    asked_at   timestamptz NOT NULL,
    asked_by   int         REFERENCES account,
    taken      int         NOT NULL DEFAULT 0,
    refused    int         NOT NULL DEFAULT 0,
    done_at    timestamptz,
    watched_until timestamptz NOT NULL  -- a gateway may refuse in a transaction that began before the registration
);
CREATE INDEX adoption_watched ON adoption (watched_until);
CREATE INDEX adoption_waiting ON adoption (id) WHERE done_at IS NULL;
CREATE INDEX adoption_device ON adoption (device_id);
