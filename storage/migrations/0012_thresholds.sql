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

-- Written by the schema, so that no threshold changes without its line, whoever changes it: a page says who
-- (clerestory.who, clerestory.account, for the transaction), a community file says nothing.
CREATE FUNCTION tell_thresholds_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    teller  text := coalesce(nullif(current_setting('clerestory.who', true), ''), 'community file');
    account int  := nullif(current_setting('clerestory.account', true), '')::int;
    home    int;
    kind    text := TG_TABLE_NAME;
BEGIN
    home := CASE WHEN kind = 'community' THEN NEW.id ELSE (to_jsonb(NEW) ->> 'community_id')::int END;
    INSERT INTO threshold_change (community_id, area_id, asset_id, place, asset_class, name, was, becomes, at,
                                  account_id, who)
    SELECT home, CASE WHEN kind = 'area' THEN NEW.id END, CASE WHEN kind = 'asset' THEN NEW.id END, NEW.code,
           asset_class, name, before.value, after.value, now(), account, teller
      FROM flat_thresholds(kind, to_jsonb(OLD)) AS before
      FULL JOIN flat_thresholds(kind, to_jsonb(NEW)) AS after USING (asset_class, name)
     WHERE before.value IS DISTINCT FROM after.value
     ORDER BY asset_class, name;
    RETURN NULL;
END
$$;

-- One row a threshold: of communities and areas by asset class, of an asset those of its own class.
CREATE FUNCTION flat_thresholds(kind text, row_of jsonb) RETURNS TABLE (asset_class text, name text, value jsonb)
LANGUAGE sql IMMUTABLE AS $$
    SELECT class.key, each.key, each.value
      FROM jsonb_each(CASE WHEN kind = 'asset' THEN jsonb_build_object(row_of ->> 'class', row_of -> 'attributes')
                           ELSE row_of -> 'thresholds' END) AS class,
           jsonb_each(class.value) AS each
$$;

CREATE TRIGGER community_thresholds_told AFTER UPDATE OF thresholds ON community
    FOR EACH ROW WHEN (OLD.thresholds IS DISTINCT FROM NEW.thresholds) EXECUTE FUNCTION tell_thresholds_changed();
CREATE TRIGGER area_thresholds_told AFTER UPDATE OF thresholds ON area
    FOR EACH ROW WHEN (OLD.thresholds IS DISTINCT FROM NEW.thresholds) EXECUTE FUNCTION tell_thresholds_changed();
CREATE TRIGGER asset_thresholds_told AFTER UPDATE OF attributes ON asset
    FOR EACH ROW WHEN (OLD.attributes IS DISTINCT FROM NEW.attributes AND OLD.class = NEW.class)
    EXECUTE FUNCTION tell_thresholds_changed();
