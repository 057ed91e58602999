-- Who and where: communities, buildings, units, parties, assets, devices.
-- One installation serves one company; codes are the names people and topics use, ids are for keys.

CREATE TABLE community (
    id          int  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code        text NOT NULL UNIQUE,
    name_zh     text NOT NULL,
    name_en     text NOT NULL,
    timezone    text NOT NULL
);

CREATE TABLE area (
    id           int  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id int  NOT NULL REFERENCES community,
    code         text NOT NULL,
    name_zh      text NOT NULL,
    name_en      text NOT NULL,
    UNIQUE (community_id, code)
);

CREATE TABLE building (
    id           int  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id int  NOT NULL REFERENCES community,
    area_id      int  NOT NULL REFERENCES area,
    code         text NOT NULL,
    name_zh      text NOT NULL,
    name_en      text NOT NULL,
    UNIQUE (community_id, code)
);

CREATE TABLE unit (
    id           int  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id int  NOT NULL REFERENCES community,
    building_id  int  NOT NULL REFERENCES building,
    code         text NOT NULL,             -- "B3-1602"
    floor        int  NOT NULL,
    floor_area   numeric(10, 2) NOT NULL CHECK (floor_area > 0),  -- m²
    UNIQUE (community_id, code)
);

CREATE TABLE party (
    id           int  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id int  NOT NULL REFERENCES community,
    code         text NOT NULL,
    name         text NOT NULL,
    phone        text,
    UNIQUE (community_id, code)
);

-- A party's time in a unit. The payer of a month is the tenant where there is one, else the owner.
CREATE TABLE occupancy (
    unit_id   int  NOT NULL REFERENCES unit,
    party_id  int  NOT NULL REFERENCES party,
    role      text NOT NULL CHECK (role IN ('owner', 'tenant')),
    from_date date NOT NULL,
    to_date   date,
    CHECK (to_date IS NULL OR to_date >= from_date),
    PRIMARY KEY (unit_id, party_id, from_date)
);
CREATE INDEX occupancy_party ON occupancy (party_id);

-- Something maintained. It serves its building's units, or the whole community where it has no building.
CREATE TABLE asset (
    id           int   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id int   NOT NULL REFERENCES community,
    area_id      int   NOT NULL REFERENCES area,
    building_id  int   REFERENCES building,
    parent_id    int   REFERENCES asset,
    class        text  NOT NULL,
    code         text  NOT NULL,
    name_zh      text  NOT NULL,
    name_en      text  NOT NULL,
    place_zh     text  NOT NULL DEFAULT '',
    place_en     text  NOT NULL DEFAULT '',
    attributes   jsonb NOT NULL DEFAULT '{}',
    retired_on   date,                               -- no longer there: serves nobody, needs no maintenance
    UNIQUE (community_id, code)
);

-- Something that publishes. A kiosk is a device of profile "kiosk" with its public key in attributes.
CREATE TABLE device (
    id           int   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id int   NOT NULL REFERENCES community,
    asset_id     int   REFERENCES asset,
    code         text  NOT NULL,
    profile      text  NOT NULL,
    dev_eui      text  UNIQUE CHECK (dev_eui ~ '^[0-9a-f]{16}$'),
    attributes   jsonb NOT NULL DEFAULT '{}',
    retired_at   timestamptz,
    UNIQUE (community_id, code)
);
CREATE INDEX device_asset ON device (asset_id);

-- Counts the changes of communities, assets and devices, in the transaction that makes them, whoever makes them.
-- A gateway keeps what it looked up for as long as the count stands still.
CREATE TABLE registry_version (
    single  boolean PRIMARY KEY DEFAULT true CHECK (single),
    version bigint  NOT NULL
);
INSERT INTO registry_version (version) VALUES (0);

CREATE FUNCTION count_registry_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE registry_version SET version = version + 1;
    RETURN NULL;
END
$$;
CREATE TRIGGER community_counted AFTER INSERT OR UPDATE OR DELETE ON community
    FOR EACH STATEMENT EXECUTE FUNCTION count_registry_change();
CREATE TRIGGER asset_counted AFTER INSERT OR UPDATE OR DELETE ON asset
    FOR EACH STATEMENT EXECUTE FUNCTION count_registry_change();
CREATE TRIGGER device_counted AFTER INSERT OR UPDATE OR DELETE ON device
    FOR EACH STATEMENT EXECUTE FUNCTION count_registry_change();
