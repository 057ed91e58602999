"""The statements of `store`, one a section: rows come as one JSON array and are compared in the database."""

from typing import Final, LiteralString

UPSERTS: Final[dict[str, LiteralString]] = {
    "areas": """
        INSERT INTO area (community_id, code, name_zh, name_en, thresholds)
        SELECT %(community_id)s, code, name_zh, name_en, coalesce(thresholds, '{}')
          FROM jsonb_to_recordset(%(rows)s) AS row (code text, name_zh text, name_en text, thresholds jsonb)
        ON CONFLICT (community_id, code) DO UPDATE SET name_zh = excluded.name_zh, name_en = excluded.name_en
            WHERE (area.name_zh, area.name_en) IS DISTINCT FROM (excluded.name_zh, excluded.name_en)
        RETURNING code, xmax = 0
    """,
    "thresholds": """
        UPDATE area SET thresholds = row.thresholds
          FROM jsonb_to_recordset(%(rows)s) AS row (code text, thresholds jsonb)
         WHERE area.community_id = %(community_id)s AND area.code = row.code
           AND row.thresholds IS NOT NULL AND area.thresholds <> row.thresholds
        RETURNING area.code, false
    """,
    "buildings": """
        INSERT INTO building (community_id, area_id, code, name_zh, name_en)
        SELECT %(community_id)s, area.id, row.code, row.name_zh, row.name_en
          FROM jsonb_to_recordset(%(rows)s) AS row (code text, area text, name_zh text, name_en text)
          JOIN area ON area.community_id = %(community_id)s AND area.code = row.area
        ON CONFLICT (community_id, code) DO UPDATE
              SET area_id = excluded.area_id, name_zh = excluded.name_zh, name_en = excluded.name_en
            WHERE (building.area_id, building.name_zh, building.name_en)
                  IS DISTINCT FROM (excluded.area_id, excluded.name_zh, excluded.name_en)
        RETURNING code, xmax = 0
    """,
    "units": """
        INSERT INTO unit (community_id, building_id, code, floor, floor_area)
        SELECT %(community_id)s, building.id, row.code, row.floor, row.floor_area
          FROM jsonb_to_recordset(%(rows)s) AS row (code text, building text, floor int, floor_area numeric)
          JOIN building ON building.community_id = %(community_id)s AND building.code = row.building
        ON CONFLICT (community_id, code) DO UPDATE
              SET building_id = excluded.building_id, floor = excluded.floor, floor_area = excluded.floor_area
            WHERE (unit.building_id, unit.floor, unit.floor_area)
                  IS DISTINCT FROM (excluded.building_id, excluded.floor, excluded.floor_area)
        RETURNING code, xmax = 0
    """,
    "parties": """
        INSERT INTO party (community_id, code, name, phone)
        SELECT %(community_id)s, code, name, phone
          FROM jsonb_to_recordset(%(rows)s) AS row (code text, name text, phone text)
        ON CONFLICT (community_id, code) DO UPDATE SET name = excluded.name, phone = excluded.phone
            WHERE (party.name, party.phone) IS DISTINCT FROM (excluded.name, excluded.phone)
        RETURNING code, xmax = 0
    """,
    "occupancies": """
        WITH put AS (
            INSERT INTO occupancy (unit_id, party_id, role, from_date, to_date)
            SELECT unit.id, party.id, row.role, row.from_date, row.to_date
              FROM jsonb_to_recordset(%(rows)s)
                   AS row (unit text, party text, role text, from_date date, to_date date)
              JOIN unit ON unit.community_id = %(community_id)s AND unit.code = row.unit
              JOIN party ON party.community_id = %(community_id)s AND party.code = row.party
            ON CONFLICT (unit_id, party_id, from_date) DO UPDATE
                  SET role = excluded.role, to_date = excluded.to_date
                WHERE (occupancy.role, occupancy.to_date) IS DISTINCT FROM (excluded.role, excluded.to_date)
            RETURNING unit_id, party_id, xmax = 0 AS added
        )
        SELECT unit.code || ' ' || party.code, put.added
          FROM put JOIN unit ON unit.id = put.unit_id JOIN party ON party.id = put.party_id
    """,
    "assets": """
        INSERT INTO asset (community_id, area_id, building_id, class, code, name_zh, name_en,
                           place_zh, place_en, attributes)
        SELECT %(community_id)s, area.id, building.id, row.class, row.code, row.name_zh, row.name_en,
               row.place_zh, row.place_en, row.attributes
          FROM jsonb_to_recordset(%(rows)s)
               AS row (code text, class text, area text, building text, name_zh text, name_en text,
                       place_zh text, place_en text, attributes jsonb)
          JOIN area ON area.community_id = %(community_id)s AND area.code = row.area
          LEFT JOIN building ON building.community_id = %(community_id)s AND building.code = row.building
        ON CONFLICT (community_id, code) DO UPDATE
              SET area_id = excluded.area_id, building_id = excluded.building_id, class = excluded.class,
                  name_zh = excluded.name_zh, name_en = excluded.name_en, place_zh = excluded.place_zh,
                  place_en = excluded.place_en, attributes = excluded.attributes, retired_on = NULL
            WHERE (asset.area_id, asset.building_id, asset.class, asset.name_zh, asset.name_en,
                   asset.place_zh, asset.place_en, asset.attributes, asset.retired_on)
                  IS DISTINCT FROM
                  (excluded.area_id, excluded.building_id, excluded.class, excluded.name_zh, excluded.name_en,
                   excluded.place_zh, excluded.place_en, excluded.attributes, NULL::date)
        RETURNING code, xmax = 0
    """,
    "parents": """
        WITH wanted AS (
            SELECT asset.id, asset.code, parent.id AS parent_id
              FROM jsonb_to_recordset(%(rows)s) AS row (code text, parent text)
              JOIN asset ON asset.community_id = %(community_id)s AND asset.code = row.code
              LEFT JOIN asset AS parent ON parent.community_id = %(community_id)s AND parent.code = row.parent
        )
        UPDATE asset SET parent_id = wanted.parent_id
          FROM wanted
         WHERE asset.id = wanted.id AND asset.parent_id IS DISTINCT FROM wanted.parent_id
        RETURNING asset.code, false
    """,
    "devices": """
        INSERT INTO device (community_id, asset_id, code, profile, dev_eui, attributes)
        SELECT %(community_id)s, asset.id, row.code, row.profile, row.dev_eui, row.attributes
          FROM jsonb_to_recordset(%(rows)s)
               AS row (code text, asset text, profile text, dev_eui text, attributes jsonb)
          LEFT JOIN asset ON asset.community_id = %(community_id)s AND asset.code = row.asset
        ON CONFLICT (community_id, code) DO UPDATE
              SET asset_id = excluded.asset_id, profile = excluded.profile, dev_eui = excluded.dev_eui,
                  attributes = excluded.attributes, retired_at = NULL
            WHERE (device.asset_id, device.profile, device.dev_eui, device.attributes, device.retired_at)
                  IS DISTINCT FROM
                  (excluded.asset_id, excluded.profile, excluded.dev_eui, excluded.attributes,
                   NULL::timestamptz)
        RETURNING code, xmax = 0
    """,
    "technicians": """
        INSERT INTO staff (code, name, phone)
        SELECT code, name, phone FROM jsonb_to_recordset(%(rows)s) AS row (code text, name text, phone text)
        ON CONFLICT (code) DO UPDATE SET name = excluded.name, phone = excluded.phone, left_on = NULL
            WHERE (staff.name, staff.phone, staff.left_on)
                  IS DISTINCT FROM (excluded.name, excluded.phone, NULL::date)
        RETURNING code, xmax = 0
    """,
    "skills": """
        WITH wanted AS (
            SELECT staff.id AS staff_id, staff.code, row.skill, row.licence, row.expires
              FROM jsonb_to_recordset(%(rows)s) AS row (staff text, skill text, licence text, expires date)
              JOIN staff ON staff.code = row.staff
        ), gone AS (
            DELETE FROM staff_skill
             WHERE staff_id IN (SELECT staff_id FROM wanted)
               AND (staff_id, skill) NOT IN (SELECT staff_id, skill FROM wanted)
            RETURNING staff_id
        ), put AS (
            INSERT INTO staff_skill (staff_id, skill, licence, licence_expires)
            SELECT staff_id, skill, licence, expires FROM wanted
            ON CONFLICT (staff_id, skill) DO UPDATE
                  SET licence = excluded.licence, licence_expires = excluded.licence_expires
                WHERE (staff_skill.licence, staff_skill.licence_expires)
                      IS DISTINCT FROM (excluded.licence, excluded.licence_expires)
            RETURNING staff_id
        )
        SELECT code, false FROM staff
         WHERE id IN (SELECT staff_id FROM gone UNION SELECT staff_id FROM put)
    """,
    "covered": """
        WITH wanted AS (
            SELECT staff.id AS staff_id, area.id AS area_id
              FROM jsonb_to_recordset(%(rows)s) AS row (staff text, area text)
              JOIN staff ON staff.code = row.staff
              JOIN area ON area.community_id = %(community_id)s AND area.code = row.area
        ), gone AS (
            DELETE FROM staff_area USING area
             WHERE area.id = staff_area.area_id AND area.community_id = %(community_id)s
               AND staff_id IN (SELECT staff_id FROM wanted)
               AND (staff_id, area_id) NOT IN (SELECT staff_id, area_id FROM wanted)
            RETURNING staff_id
        ), put AS (
            INSERT INTO staff_area (staff_id, area_id) SELECT staff_id, area_id FROM wanted
            ON CONFLICT DO NOTHING
            RETURNING staff_id
        )
        SELECT code, false FROM staff
         WHERE id IN (SELECT staff_id FROM gone UNION SELECT staff_id FROM put)
    """,
    "shifts": """
        WITH wanted AS (
            SELECT staff.id AS staff_id, row.weekday, row.starts, row.ends
              FROM jsonb_to_recordset(%(rows)s) AS row (staff text, weekday smallint, starts time, ends time)
              JOIN staff ON staff.code = row.staff
        ), gone AS (
            DELETE FROM shift
             WHERE staff_id IN (SELECT staff_id FROM wanted)
               AND (staff_id, weekday, starts) NOT IN (SELECT staff_id, weekday, starts FROM wanted)
            RETURNING staff_id
        ), put AS (
            INSERT INTO shift (staff_id, weekday, starts, ends)
            SELECT staff_id, weekday, starts, ends FROM wanted
            ON CONFLICT (staff_id, weekday, starts) DO UPDATE SET ends = excluded.ends
                WHERE shift.ends <> excluded.ends
            RETURNING staff_id
        )
        SELECT code, false FROM staff
         WHERE id IN (SELECT staff_id FROM gone UNION SELECT staff_id FROM put)
    """,
    "plans": """
        INSERT INTO plan (community_id, code, name_zh, name_en, kind, skill, asset_class, every_days, at_time,
                          starts_on, todo_zh, todo_en, checklist)
        SELECT %(community_id)s, code, name_zh, name_en, kind, skill, asset_class, every_days, at_time,
               starts_on, todo_zh, todo_en, checklist
          FROM jsonb_to_recordset(%(rows)s)
               AS row (code text, name_zh text, name_en text, kind text, skill text, asset_class text,
                       every_days int, at_time time, starts_on date, todo_zh text, todo_en text,
                       checklist jsonb)
        ON CONFLICT (community_id, code) DO UPDATE
              SET name_zh = excluded.name_zh, name_en = excluded.name_en, kind = excluded.kind,
                  skill = excluded.skill, asset_class = excluded.asset_class,
                  every_days = excluded.every_days, at_time = excluded.at_time,
                  starts_on = excluded.starts_on, todo_zh = excluded.todo_zh,
                  todo_en = excluded.todo_en, checklist = excluded.checklist, retired_on = NULL
            WHERE (plan.name_zh, plan.name_en, plan.kind, plan.skill, plan.asset_class, plan.every_days,
                   plan.at_time, plan.starts_on, plan.todo_zh, plan.todo_en, plan.checklist, plan.retired_on)
                  IS DISTINCT FROM
                  (excluded.name_zh, excluded.name_en, excluded.kind, excluded.skill, excluded.asset_class,
                   excluded.every_days, excluded.at_time, excluded.starts_on, excluded.todo_zh,
                   excluded.todo_en, excluded.checklist, NULL::date)
        RETURNING code, xmax = 0
    """,
    "charge_items": """
        INSERT INTO charge_item (community_id, code, name_zh, name_en, basis, price_fen, measure, grade,
                                 contract, standards, composition, from_date, to_date, position)
        SELECT %(community_id)s, code, name_zh, name_en, basis, price_fen, measure, grade, contract,
               standards, composition, from_date, to_date, position
          FROM jsonb_to_recordset(%(rows)s)
               AS row (code text, name_zh text, name_en text, basis text, price_fen numeric, measure text,
                       grade text, contract text, standards jsonb, composition jsonb, from_date date,
                       to_date date, position int)
        ON CONFLICT (community_id, code, from_date) DO UPDATE
              SET name_zh = excluded.name_zh, name_en = excluded.name_en, basis = excluded.basis,
                  price_fen = excluded.price_fen, measure = excluded.measure, grade = excluded.grade,
                  contract = excluded.contract, standards = excluded.standards,
                  composition = excluded.composition, to_date = excluded.to_date, position = excluded.position
            WHERE (charge_item.name_zh, charge_item.name_en, charge_item.basis, charge_item.price_fen,
                   charge_item.measure, charge_item.grade, charge_item.contract, charge_item.standards,
                   charge_item.composition, charge_item.to_date, charge_item.position)
                  IS DISTINCT FROM
                  (excluded.name_zh, excluded.name_en, excluded.basis, excluded.price_fen, excluded.measure,
                   excluded.grade, excluded.contract, excluded.standards, excluded.composition,
                   excluded.to_date, excluded.position)
        RETURNING code, xmax = 0
    """,
    "parking_spaces": """
        INSERT INTO parking_space (community_id, unit_id, code, from_date, to_date)
        SELECT %(community_id)s, unit.id, row.code, row.from_date, row.to_date
          FROM jsonb_to_recordset(%(rows)s) AS row (code text, unit text, from_date date, to_date date)
          JOIN unit ON unit.community_id = %(community_id)s AND unit.code = row.unit
        ON CONFLICT (community_id, code, from_date) DO UPDATE
              SET unit_id = excluded.unit_id, to_date = excluded.to_date
            WHERE (parking_space.unit_id, parking_space.to_date)
                  IS DISTINCT FROM (excluded.unit_id, excluded.to_date)
        RETURNING code, xmax = 0
    """,
    "meters": """
        INSERT INTO meter (community_id, unit_id, charge_item, code)
        SELECT %(community_id)s, unit.id, row.charge_item, row.code
          FROM jsonb_to_recordset(%(rows)s) AS row (code text, unit text, charge_item text)
          JOIN unit ON unit.community_id = %(community_id)s AND unit.code = row.unit
        ON CONFLICT (community_id, code) DO UPDATE
              SET unit_id = excluded.unit_id, charge_item = excluded.charge_item
            WHERE (meter.unit_id, meter.charge_item) IS DISTINCT FROM (excluded.unit_id, excluded.charge_item)
        RETURNING code, xmax = 0
    """,
    "meter_readings": """
        WITH put AS (
            INSERT INTO meter_reading (meter_id, period, register)
            SELECT meter.id, row.period, row.register
              FROM jsonb_to_recordset(%(rows)s) AS row (code text, period date, register numeric)
              JOIN meter ON meter.community_id = %(community_id)s AND meter.code = row.code
            ON CONFLICT (meter_id, period) DO UPDATE SET register = excluded.register
                WHERE meter_reading.register <> excluded.register
            RETURNING meter_id, period, xmax = 0 AS added
        )
        SELECT meter.code || ' ' || to_char(put.period, 'YYYY-MM'), put.added
          FROM put JOIN meter ON meter.id = put.meter_id
    """,
}

# What is live in the database but not in the file: (id, name).
ABSENT: Final[dict[str, LiteralString]] = {
    "areas": """
        SELECT id, code FROM area
         WHERE community_id = %(community_id)s
           AND code NOT IN (SELECT code FROM jsonb_to_recordset(%(rows)s) AS row (code text))
         ORDER BY code
    """,
    "buildings": """
        SELECT id, code FROM building
         WHERE community_id = %(community_id)s
           AND code NOT IN (SELECT code FROM jsonb_to_recordset(%(rows)s) AS row (code text))
         ORDER BY code
    """,
    "units": """
        SELECT id, code FROM unit
         WHERE community_id = %(community_id)s
           AND code NOT IN (SELECT code FROM jsonb_to_recordset(%(rows)s) AS row (code text))
         ORDER BY code
    """,
    "parties": """
        SELECT id, code FROM party
         WHERE community_id = %(community_id)s
           AND code NOT IN (SELECT code FROM jsonb_to_recordset(%(rows)s) AS row (code text))
         ORDER BY code
    """,
    "assets": """
        SELECT id, code FROM asset
         WHERE community_id = %(community_id)s AND retired_on IS NULL
           AND code NOT IN (SELECT code FROM jsonb_to_recordset(%(rows)s) AS row (code text))
         ORDER BY parent_id NULLS LAST, code
    """,
    "devices": """
        SELECT id, code FROM device
         WHERE community_id = %(community_id)s AND retired_at IS NULL
           AND NOT EXISTS (SELECT FROM device_change  -- registered by somebody: the file knows nothing of it
                            WHERE device_change.device_id = device.id AND what = 'added')
           AND code NOT IN (SELECT code FROM jsonb_to_recordset(%(rows)s) AS row (code text))
         ORDER BY code
    """,
    "technicians": """
        SELECT DISTINCT staff.id, staff.code
          FROM staff
          JOIN staff_area ON staff_area.staff_id = staff.id
          JOIN area ON area.id = staff_area.area_id
         WHERE area.community_id = %(community_id)s
           AND staff.code NOT IN (SELECT code FROM jsonb_to_recordset(%(rows)s) AS row (code text))
         ORDER BY staff.code
    """,
    "plans": """
        SELECT id, code FROM plan
         WHERE community_id = %(community_id)s AND retired_on IS NULL
           AND code NOT IN (SELECT code FROM jsonb_to_recordset(%(rows)s) AS row (code text))
         ORDER BY code
    """,
    "charge_items": """
        SELECT id, code FROM charge_item
         WHERE community_id = %(community_id)s AND to_date IS NULL
           AND (code, from_date) NOT IN (
                   SELECT code, from_date
                     FROM jsonb_to_recordset(%(rows)s) AS row (code text, from_date date))
         ORDER BY code
    """,
    "parking_spaces": """
        SELECT id, code FROM parking_space
         WHERE community_id = %(community_id)s AND to_date IS NULL
           AND (code, from_date) NOT IN (
                   SELECT code, from_date
                     FROM jsonb_to_recordset(%(rows)s) AS row (code text, from_date date))
         ORDER BY code
    """,
    "meters": """
        SELECT id, code FROM meter
         WHERE community_id = %(community_id)s
           AND code NOT IN (SELECT code FROM jsonb_to_recordset(%(rows)s) AS row (code text))
         ORDER BY code
    """,
}

DELETES: Final[dict[str, LiteralString]] = {
    "areas": "DELETE FROM area WHERE id = %(id)s",
    "buildings": "DELETE FROM building WHERE id = %(id)s",
    "units": "DELETE FROM unit WHERE id = %(id)s",
    "parties": "DELETE FROM party WHERE id = %(id)s",
    "assets": "DELETE FROM asset WHERE id = %(id)s",
    "plans": "DELETE FROM plan WHERE id = %(id)s",
    "charge_items": "DELETE FROM charge_item WHERE id = %(id)s",
    "meters": "DELETE FROM meter WHERE id = %(id)s",
}

RETIREMENTS: Final[dict[str, LiteralString]] = {
    "assets": "UPDATE asset SET retired_on = %(today)s WHERE id = %(id)s",
    "devices": "UPDATE device SET retired_at = %(now)s WHERE id = %(id)s",
    "plans": "UPDATE plan SET retired_on = %(today)s WHERE id = %(id)s",
    "charge_items": "UPDATE charge_item SET to_date = greatest(from_date, %(today)s) WHERE id = %(id)s",
    "parking_spaces": "UPDATE parking_space SET to_date = greatest(from_date, %(today)s) WHERE id = %(id)s",
}

END_OCCUPANCIES: Final[LiteralString] = """
    WITH wanted AS (
        SELECT unit.id AS unit_id, party.id AS party_id, row.role, row.from_date, row.to_date
          FROM jsonb_to_recordset(%(rows)s)
               AS row (unit text, party text, role text, from_date date, to_date date)
          JOIN unit ON unit.community_id = %(community_id)s AND unit.code = row.unit
          JOIN party ON party.community_id = %(community_id)s AND party.code = row.party
    ), absent AS (
        SELECT occupancy.*
          FROM occupancy JOIN unit ON unit.id = occupancy.unit_id
         WHERE unit.community_id = %(community_id)s AND (to_date IS NULL OR to_date > %(today)s)
           AND (unit_id, party_id, from_date) NOT IN (SELECT unit_id, party_id, from_date FROM wanted)
    ), judged AS (
        SELECT absent.unit_id, absent.party_id, absent.from_date,
               absent.from_date > %(today)s OR EXISTS (
                   SELECT FROM wanted
                    WHERE wanted.unit_id = absent.unit_id AND wanted.role = absent.role
                      AND (wanted.party_id = absent.party_id
                           OR wanted.from_date <= absent.from_date
                              AND coalesce(wanted.to_date, 'infinity') >= absent.from_date)) AS slip,
               least(%(today)s, (SELECT min(wanted.from_date) - 1 FROM wanted
                                  WHERE wanted.unit_id = absent.unit_id AND wanted.role = absent.role
                                    AND wanted.from_date > absent.from_date)) AS ends_on
          FROM absent
    ), gone AS (
        DELETE FROM occupancy USING judged
         WHERE slip AND occupancy.unit_id = judged.unit_id AND occupancy.party_id = judged.party_id
           AND occupancy.from_date = judged.from_date
    ), ended AS (
        UPDATE occupancy SET to_date = judged.ends_on FROM judged
         WHERE NOT slip AND occupancy.unit_id = judged.unit_id AND occupancy.party_id = judged.party_id
           AND occupancy.from_date = judged.from_date
    )
    SELECT unit.code || ' ' || party.code, judged.slip
      FROM judged JOIN unit ON unit.id = judged.unit_id JOIN party ON party.id = judged.party_id
     ORDER BY 1
"""
