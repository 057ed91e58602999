-- Thresholds for a whole community and for an area of it, under those of single assets: by asset class, then by the
-- attribute's name, e.g. {"bin": {"full_percent": 85}}. What rules read as asset.x is the innermost of device, asset,
-- area and community, and where nobody says, the rule file's default.
ALTER TABLE community ADD COLUMN thresholds jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(thresholds) = 'object');
ALTER TABLE area ADD COLUMN thresholds jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(thresholds) = 'object');

-- What gateways keep of devices depends on their areas, too.
CREATE TRIGGER area_counted AFTER INSERT OR UPDATE OR DELETE ON area
    FOR EACH STATEMENT EXECUTE FUNCTION count_registry_change();

CREATE FUNCTION attributes_of(class text, community jsonb, area jsonb, asset jsonb, device jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(community -> class, '{}') || coalesce(area -> class, '{}') || coalesce(asset, '{}') || device
$$;

-- Who changed which threshold, when, from what to what (NULL: not said here, so the outer one holds).
CREATE TABLE threshold_change (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id int         NOT NULL REFERENCES community,
    area_id      int         REFERENCES area ON DELETE SET NULL,   -- neither area nor asset: the whole community
    asset_id     int         REFERENCES asset ON DELETE SET NULL,
    place        text        NOT NULL,                             -- its code then, kept when it is gone
    asset_class  text        NOT NULL,
    name         text        NOT NULL,
    was          jsonb,
    becomes      jsonb,
    at           timestamptz NOT NULL,
    account_id   int         REFERENCES account,                   -- NULL: a community file
    who          text        NOT NULL CHECK (who <> ''),
    CHECK (area_id IS NULL OR asset_id IS NULL),
    CHECK (was IS DISTINCT FROM becomes)
);
CREATE INDEX threshold_change_recent ON threshold_change (community_id, at DESC, id DESC);
