"""Registering devices and changing them, each change kept with who and when, so that it can be undone."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from psycopg import AsyncConnection

from config.profiles import Profiles
from config.text import Text
from gateway.devices import adopting, store
from gateway.devices.attributes import Limits
from gateway.devices.draft import Fit, Land, Registered, Wanted
from storage.notify import notify

Via = Literal["page", "import", "adoption", "command"]
What = Literal["added", "changed", "retired", "brought_back", "undone"]
WATCHED_FOR: Final = timedelta(minutes=2)


class DeviceRefused(ValueError):
    """A change that cannot be made, said in both languages."""

    def __init__(self, text: Text) -> None:
        super().__init__(f"{text.zh} / {text.en}")
        self.text = text


class GoneMeanwhile(DeviceRefused):
    """The device is not there any more, or was changed by somebody else meanwhile."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                zh="这台设备刚被别人修改，请重新打开页面再试。",
                en="Somebody changed this device meanwhile. Load the page again and repeat.",
            )
        )


@dataclass(frozen=True, slots=True)
class Hand:
    """Who changes something, when, and how. No account: at the command line."""

    at: datetime
    via: Via
    account_id: int | None = None


async def survey(
    conn: AsyncConnection,
    wanted: Sequence[Wanted],
    profiles: Profiles,
    attributes: Mapping[str, Mapping[str, Limits]],
    communities: Collection[int] | None = None,
) -> Land:
    """Look up all that is needed to judge these devices; `communities` are those that may be changed."""
    codes = await store.communities(conn, communities)
    named = [codes[code] for code in dict.fromkeys(each.community for each in wanted) if code in codes]
    devices = await store.registered(conn, named)
    return Land(
        communities=codes,
        assets=await store.assets(conn, named),
        devices={(each.community, each.code): each for each in devices},
        euis=await store.owners_of(conn, {each.dev_eui.lower() for each in wanted if each.dev_eui}),
        profiles=profiles,
        attributes=attributes,
    )


async def apply(conn: AsyncConnection, fits: Sequence[Fit], hand: Hand) -> list[int]:
    """Register or change devices, all or none; the ids in the order given. Unchanged ones are left alone.

    Messages of theirs that had come already are taken by the worker. The caller owns the transaction.
    Raises `GoneMeanwhile` where a device is not any more what it was when judged.
    """
    touched = [fit for fit in fits if fit.was is None or fit.changes]
    await store.free_euis(
        conn,
        [fit.was.device_id for fit in touched if fit.was is not None],
        [fit.dev_eui for fit in touched if fit.dev_eui is not None],
    )
    ids: list[int] = []
    for fit in fits:
        if fit.was is None:
            ids.append(await _add(conn, fit, hand))
        elif fit.changes:
            await _change(conn, fit, fit.was, hand)
            ids.append(fit.was.device_id)
        else:
            ids.append(fit.was.device_id)
    for community_id in {fit.community_id for fit in touched}:
        mine = [at for at, fit in zip(ids, fits, strict=True) if fit.community_id == community_id]
        await notify(conn, "registry", mine, community_id)
    return ids


async def _add(conn: AsyncConnection, fit: Fit, hand: Hand) -> int:
    device_id = await store.insert(
        conn,
        {
            "community_id": fit.community_id,
            "asset_id": fit.asset_id,
            "code": fit.code,
            "profile": fit.profile,
            "dev_eui": fit.dev_eui,
            "attributes": dict(fit.attributes),
        },
    )
    row = _row(fit.asset_id, fit.profile, fit.dev_eui, fit.attributes, None)
    await _note(conn, device_id, hand, "added", None, row)
    await adopting.take_what_waits(
        conn,
        device_id,
        adopting.speakers_of(fit.community, fit.code, fit.dev_eui),
        hand.at,
        hand.account_id,
        hand.at + WATCHED_FOR,
    )
    return device_id


async def _change(conn: AsyncConnection, fit: Fit, was: Registered, hand: Hand) -> None:
    now = await store.device(conn, was.device_id, lock=True)
    # Its DevEUI was freed by us a moment ago.
    if now is None or _of(now) | {"dev_eui": None} != _of(was) | {"dev_eui": None}:
        raise GoneMeanwhile
    after = _row(fit.asset_id, fit.profile, fit.dev_eui, fit.attributes, was.retired_at)
    await store.update(conn, was.device_id, after)
    await _note(conn, was.device_id, hand, "changed", _of(was), after)
    if fit.dev_eui is not None and fit.dev_eui != was.dev_eui:
        speakers = adopting.speakers_of(fit.community, fit.code, fit.dev_eui)
        await adopting.take_what_waits(
            conn, was.device_id, speakers, hand.at, hand.account_id, hand.at + WATCHED_FOR
        )


async def retire(conn: AsyncConnection, device_id: int, hand: Hand) -> None:
    """Let a device speak no more; what it said stays. One that is retired already stays as it is."""
    await _set_retired(conn, device_id, hand, retired=True)


async def bring_back(conn: AsyncConnection, device_id: int, hand: Hand) -> None:
    """Let a retired device speak again."""
    await _set_retired(conn, device_id, hand, retired=False)


async def _set_retired(conn: AsyncConnection, device_id: int, hand: Hand, *, retired: bool) -> None:
    was = await store.device(conn, device_id, lock=True)
    if was is None:
        raise GoneMeanwhile
    if (was.retired_at is not None) == retired:
        return
    after = _of(was) | {"retired_at": hand.at.isoformat() if retired else None}
    await store.update(conn, device_id, after)
    await _note(conn, device_id, hand, "retired" if retired else "brought_back", _of(was), after)
    await notify(conn, "registry", [device_id], was.community_id)


async def undo(conn: AsyncConnection, change_id: int, device_id: int, hand: Hand) -> None:
    """Make a device again what it was before a change; only while nothing else was changed since.

    Raises `GoneMeanwhile` where something was. Adding is undone by retiring: its messages stay.
    """
    was = await store.device(conn, device_id, lock=True)
    change = next((each for each in await store.changes(conn, device_id) if each.id == change_id), None)
    if was is None or change is None or change.undone or change.after != _of(was):
        raise GoneMeanwhile
    before = change.before
    if before is None:
        before = _of(was) | {"retired_at": hand.at.isoformat()}
    owner = await store.owners_of(conn, [before["dev_eui"]] if before["dev_eui"] else [])
    taken = owner.get(before["dev_eui"] or "")
    if taken is not None and taken != (was.community, was.code):
        raise DeviceRefused(
            Text(
                zh=f"不能撤销：DevEUI {before['dev_eui']} 现属于设备 {'/'.join(taken)}。",
                en=f"Cannot be undone: DevEUI {before['dev_eui']} now belongs to {'/'.join(taken)}.",
            )
        )
    await store.update(conn, device_id, before)
    await _note(conn, device_id, hand, "undone", _of(was), before, undoes=change.id)
    await notify(conn, "registry", [device_id], was.community_id)


def _row(
    asset_id: int | None,
    profile: str,
    dev_eui: str | None,
    attributes: Mapping[str, Any],
    retired_at: datetime | None,
) -> dict[str, Any]:
    return {
        "asset_id": asset_id,
        "profile": profile,
        "dev_eui": dev_eui,
        "attributes": dict(attributes),
        "retired_at": retired_at.isoformat() if retired_at else None,
    }


def _of(device: Registered) -> dict[str, Any]:
    return _row(device.asset_id, device.profile, device.dev_eui, device.attributes, device.retired_at)


async def _note(
    conn: AsyncConnection,
    device_id: int,
    hand: Hand,
    what: What,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
    undoes: int | None = None,
) -> None:
    await store.note_change(
        conn,
        device_id,
        at=hand.at,
        account_id=hand.account_id,
        via=hand.via,
        what=what,
        before=before,
        after=after,
        undoes=undoes,
    )
