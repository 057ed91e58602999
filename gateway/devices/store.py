"""SQL of devices as people register them. The caller owns the transaction."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row, scalar_row
from psycopg.types.json import Jsonb

from config.text import Text
from gateway.devices.draft import AssetKnown, Registered


async def communities(conn: AsyncConnection, ids: Collection[int] | None = None) -> dict[str, int]:
    """Every community's id by its code; only some where told so."""
    cursor = await conn.execute(
        "SELECT code, id FROM community WHERE %(ids)s::int[] IS NULL OR id = ANY(%(ids)s) ORDER BY code",
        {"ids": None if ids is None else list(ids)},
    )
    return dict(await cursor.fetchall())


async def assets(conn: AsyncConnection, community_ids: Sequence[int]) -> dict[tuple[str, str], AssetKnown]:
    """The assets in use of some communities, by community code and code."""
    cursor = await conn.execute(
        """
        SELECT community.code, asset.id, asset.code, asset.class, asset.name_zh, asset.name_en,
               asset.attributes
          FROM asset JOIN community ON community.id = asset.community_id
         WHERE asset.community_id = ANY(%(ids)s) AND asset.retired_on IS NULL
        """,
        {"ids": list(community_ids)},
    )
    return {
        (row[0], row[2]): AssetKnown(row[1], row[2], row[3], Text(zh=row[4], en=row[5]), row[6])
        for row in await cursor.fetchall()
    }


_REGISTERED: Final[LiteralString] = """
    SELECT device.id AS device_id, device.community_id, community.code AS community, device.code,
           device.profile, device.asset_id, coalesce(asset.code, '') AS asset, device.dev_eui,
           device.attributes, device.retired_at
      FROM device
      JOIN community ON community.id = device.community_id
      LEFT JOIN asset ON asset.id = device.asset_id
"""


async def registered(conn: AsyncConnection, community_ids: Sequence[int]) -> list[Registered]:
    """Every device of some communities, retired ones too, by code."""
    async with conn.cursor(row_factory=class_row(Registered)) as cursor:
        await cursor.execute(
            _REGISTERED + " WHERE device.community_id = ANY(%(ids)s) ORDER BY community.code, device.code",
            {"ids": list(community_ids)},
        )
        return await cursor.fetchall()


async def devices(conn: AsyncConnection, ids: Collection[int]) -> dict[int, Registered]:
    """Devices by their ids, locked against other changes."""
    await conn.execute(
        "SELECT FROM device WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE", {"ids": list(ids)}
    )
    async with conn.cursor(row_factory=class_row(Registered)) as cursor:
        await cursor.execute(_REGISTERED + " WHERE device.id = ANY(%(ids)s)", {"ids": list(ids)})
        return {each.device_id: each for each in await cursor.fetchall()}


async def device(conn: AsyncConnection, device_id: int) -> Registered | None:
    """One device."""
    async with conn.cursor(row_factory=class_row(Registered)) as cursor:
        await cursor.execute(_REGISTERED + " WHERE device.id = %(id)s", {"id": device_id})
        return await cursor.fetchone()


async def device_named(conn: AsyncConnection, community: str, code: str) -> Registered | None:
    """One device by its names."""
    async with conn.cursor(row_factory=class_row(Registered)) as cursor:
        await cursor.execute(
            _REGISTERED + " WHERE community.code = %(community)s AND device.code = %(code)s",
            {"community": community, "code": code},
        )
        return await cursor.fetchone()


async def owners_of(conn: AsyncConnection, euis: Collection[str]) -> dict[str, tuple[str, str]]:
    """Whose these DevEUIs are, in the whole installation; a retired device's are free for another."""
    cursor = await conn.execute(
        """
        SELECT device.dev_eui, community.code, device.code
          FROM device JOIN community ON community.id = device.community_id
         WHERE device.dev_eui = ANY(%(euis)s) AND device.retired_at IS NULL
        """,
        {"euis": list(euis)},
    )
    return {row[0]: (row[1], row[2]) for row in await cursor.fetchall()}


async def insert(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> dict[tuple[int, str], int]:
    """Register devices; their ids by community and code.

    Raises UniqueViolation where a code or a DevEUI is taken meanwhile.
    """
    cursor = await conn.execute(
        """
        INSERT INTO device (community_id, asset_id, code, profile, dev_eui, attributes)
        SELECT community_id, asset_id, code, profile, dev_eui, attributes
          FROM jsonb_to_recordset(%(rows)s)
               AS row (community_id int, asset_id int, code text, profile text, dev_eui text,
                       attributes jsonb)
        RETURNING community_id, code, id
        """,
        {"rows": Jsonb(list(rows))},
    )
    return {(row[0], row[1]): row[2] for row in await cursor.fetchall()}


async def free_euis(conn: AsyncConnection, device_ids: Collection[int], euis: Collection[str]) -> None:
    """Take the DevEUIs of devices whose rows are about to be written, so that two may swap theirs.

    So are these DevEUIs taken from retired devices: the radio is used again.
    """
    await conn.execute(
        """
        UPDATE device SET dev_eui = NULL
         WHERE dev_eui IS NOT NULL
           AND (id = ANY(%(ids)s) OR retired_at IS NOT NULL AND dev_eui = ANY(%(euis)s))
        """,
        {"ids": list(device_ids), "euis": list(euis)},
    )


async def update(conn: AsyncConnection, rows: Mapping[int, Mapping[str, Any]]) -> None:
    """Write devices' rows by their ids: asset, profile, DevEUI, attributes, and since when it is retired."""
    await conn.execute(
        """
        UPDATE device SET asset_id = row.asset_id, profile = row.profile, dev_eui = row.dev_eui,
                          attributes = row.attributes, retired_at = row.retired_at
          FROM jsonb_to_recordset(%(rows)s)
               AS row (id int, asset_id int, profile text, dev_eui text, attributes jsonb,
                       retired_at timestamptz)
         WHERE device.id = row.id
        """,
        {"rows": Jsonb([{**row, "id": device_id} for device_id, row in rows.items()])},
    )


@dataclass(frozen=True, slots=True)
class NewChange:
    """A change to be kept: the row before it (None: the device was added) and after it."""

    device_id: int
    what: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    undoes: int | None = None


async def note_changes(
    conn: AsyncConnection,
    changes: Sequence[NewChange],
    *,
    at: datetime,
    account_id: int | None,
    via: str,
) -> None:
    """Keep what a person changed."""
    await conn.execute(
        """
        INSERT INTO device_change (device_id, at, account_id, via, what, before, after, undoes)
        SELECT device_id, %(at)s, %(account)s, %(via)s, what, before, after, undoes
          FROM jsonb_to_recordset(%(rows)s)
               AS row (device_id int, what text, before jsonb, after jsonb, undoes bigint)
        """,
        {
            "at": at,
            "account": account_id,
            "via": via,
            "rows": Jsonb([dataclasses.asdict(each) for each in changes]),
        },
    )


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a device. `who` is empty for the command line."""

    id: int
    device_id: int
    at: datetime
    who: str
    via: str
    what: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    undoes: int | None
    undone: bool
    newest: bool


async def changes(conn: AsyncConnection, device_id: int, most: int = 50) -> list[Change]:
    """What people changed about a device, newest first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """
            SELECT device_change.id, device_change.device_id, device_change.at,
                   coalesce(account.name, '') AS who, via, what, before, after, undoes,
                   EXISTS (SELECT FROM device_change AS later
                            WHERE later.undoes = device_change.id) AS undone,
                   NOT EXISTS (SELECT FROM device_change AS later
                                WHERE later.device_id = device_change.device_id
                                  AND later.id > device_change.id AND later.what <> 'undone'
                                  AND NOT EXISTS (SELECT FROM device_change AS undoing
                                                   WHERE undoing.undoes = later.id)) AS newest
              FROM device_change LEFT JOIN account ON account.id = device_change.account_id
             WHERE device_change.device_id = %(device)s
             ORDER BY device_change.id DESC LIMIT %(most)s
            """,
            {"device": device_id, "most": most},
        )
        return [Change(**row) for row in await cursor.fetchall()]


async def asset_codes(conn: AsyncConnection, asset_ids: Collection[int]) -> dict[int, str]:
    """The codes of assets by their ids, also of retired ones."""
    cursor = await conn.execute(
        "SELECT id, code FROM asset WHERE id = ANY(%(ids)s)", {"ids": list(asset_ids)}
    )
    return dict(await cursor.fetchall())


async def staff_id(conn: AsyncConnection, code: str) -> int | None:
    """A technician who has not left, by code."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute("SELECT id FROM staff WHERE code = %(code)s AND left_on IS NULL", {"code": code})
        return await cursor.fetchone()


async def never_issued(conn: AsyncConnection, community_id: int) -> list[Registered]:
    """The devices of a community without a credential, by code."""
    async with conn.cursor(row_factory=class_row(Registered)) as cursor:
        await cursor.execute(
            _REGISTERED
            + """
             WHERE device.community_id = %(community)s
               AND NOT EXISTS (SELECT FROM broker_credential WHERE broker_credential.device_id = device.id)
             ORDER BY device.code
            """,
            {"community": community_id},
        )
        return await cursor.fetchall()
