"""Registering devices and changing them, each change kept with who and when, so that it can be undone."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from psycopg import AsyncConnection

from config.profiles import Profiles
from config.text import Text
from gateway.devices import adopting, store, strangers
from gateway.devices.attributes import Limits
from gateway.devices.draft import EUI, Fit, Land, Registered, Wanted
from gateway.devices.store import NewChange
from storage.notify import notify, notify_each

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
        euis=await store.owners_of(
            conn, {each.dev_eui.lower() for each in wanted if EUI.fullmatch(each.dev_eui)}
        ),
        profiles=profiles,
        attributes=attributes,
    )


async def apply(conn: AsyncConnection, fits: Sequence[Fit], hand: Hand) -> None:
    """Register or change devices, all or none. Unchanged ones are left alone.

    Messages of theirs that had come already are taken by the worker. The caller owns the transaction.
    Raises `GoneMeanwhile` where a device is not any more what it was when judged.
    """
    new = [fit for fit in fits if fit.was is None]
    changed = [(fit, fit.was) for fit in fits if fit.was is not None and fit.changes]
    euis = [fit.dev_eui for fit in (*new, *(fit for fit, _ in changed)) if fit.dev_eui is not None]
    before = await store.devices(conn, [was.device_id for _, was in changed])
    if any(before.get(was.device_id) != was for _, was in changed):
        raise GoneMeanwhile
    await store.free_euis(conn, [was.device_id for _, was in changed], euis)
    ids = await store.insert(
        conn, [_row(fit) | {"community_id": fit.community_id, "code": fit.code} for fit in new]
    )
    await store.update(conn, {was.device_id: _row(fit, was.retired_at) for fit, was in changed})
    notes = [NewChange(ids[fit.community_id, fit.code], "added", None, _row(fit)) for fit in new]
    notes += [
        NewChange(was.device_id, "changed", _row(was), _row(fit, was.retired_at)) for fit, was in changed
    ]
    await _note(conn, notes, hand)
    speakers = [
        (ids[fit.community_id, fit.code], name)
        for fit in new
        for name in strangers.speakers_of(fit.community, fit.code, fit.dev_eui)
    ]
    speakers += [
        (was.device_id, name)
        for fit, was in changed
        if fit.dev_eui not in {None, was.dev_eui}
        for name in strangers.speakers_of(fit.community, fit.code, fit.dev_eui)
    ]
    await adopting.take_what_waits(conn, speakers, hand.at, hand.account_id, hand.at + WATCHED_FOR)
    touched = [(fit.community_id, ids[fit.community_id, fit.code]) for fit in new]
    touched += [(fit.community_id, was.device_id) for fit, was in changed]
    await notify_each(conn, "registry", touched)


async def retire(conn: AsyncConnection, device_id: int, hand: Hand) -> None:
    """Let a device speak no more; what it said stays. One that is retired already stays as it is."""
    await _set_retired(conn, device_id, hand, retired=True)


async def bring_back(conn: AsyncConnection, device_id: int, hand: Hand) -> None:
    """Let a retired device speak again."""
    await _set_retired(conn, device_id, hand, retired=False)


async def _set_retired(conn: AsyncConnection, device_id: int, hand: Hand, *, retired: bool) -> None:
    was = (await store.devices(conn, [device_id])).get(device_id)
    if was is None:
        raise GoneMeanwhile
    if (was.retired_at is not None) == retired:
        return
    after = _row(was, hand.at if retired else None)
    await store.update(conn, {device_id: after})
    what: What = "retired" if retired else "brought_back"
    await _note(conn, [NewChange(device_id, what, _row(was, was.retired_at), after)], hand)
    await notify(conn, "registry", [device_id], was.community_id)


async def undo(conn: AsyncConnection, change_id: int, device_id: int, hand: Hand) -> None:
    """Make a device again what it was before a change; only while nothing else was changed since.

    Raises `GoneMeanwhile` where something was. Adding is undone by retiring: its messages stay.
    """
    was = (await store.devices(conn, [device_id])).get(device_id)
    change = next((each for each in await store.changes(conn, device_id) if each.id == change_id), None)
    if was is None or change is None or change.undone or change.after != _row(was, was.retired_at):
        raise GoneMeanwhile
    before = _row(was, hand.at) if change.before is None else change.before
    owner = await store.owners_of(conn, [before["dev_eui"]] if before["dev_eui"] else [])
    taken = owner.get(before["dev_eui"] or "")
    if taken is not None and taken != (was.community, was.code):
        raise DeviceRefused(
            Text(
                zh=f"不能撤销：DevEUI {before['dev_eui']} 现属于设备 {'/'.join(taken)}。",
                en=f"Cannot be undone: DevEUI {before['dev_eui']} now belongs to {'/'.join(taken)}.",
            )
        )
    if before["asset_id"] is not None and not await store.asset_codes(conn, [before["asset_id"]]):
        raise DeviceRefused(
            Text(zh="不能撤销：它原来的资产已被删除。", en="Cannot be undone: its former asset is gone.")
        )
    await store.update(conn, {device_id: before})
    undone = NewChange(device_id, "undone", _row(was, was.retired_at), before, undoes=change.id)
    await _note(conn, [undone], hand)
    await notify(conn, "registry", [device_id], was.community_id)


async def note_moves(
    conn: AsyncConnection, community_id: int, before: Sequence[Registered], hand: Hand
) -> None:
    """Keep which of a community's devices watch another asset than `before`: a community file moved them."""
    was = {each.device_id: each for each in before}
    moved = [
        NewChange(now.device_id, "changed", _row(old, old.retired_at), _row(now, now.retired_at))
        for now in await store.registered(conn, [community_id])
        if (old := was.get(now.device_id)) is not None and old.asset_id != now.asset_id
    ]
    if moved:
        await _note(conn, moved, hand)


def _row(device: Fit | Registered, retired_at: datetime | None = None) -> dict[str, Any]:
    """What may change of a device, as it is kept of each change."""
    return {
        "asset_id": device.asset_id,
        "profile": device.profile,
        "dev_eui": device.dev_eui,
        "attributes": dict(device.attributes),
        "retired_at": retired_at.isoformat() if retired_at else None,
    }


async def _note(conn: AsyncConnection, changes: Sequence[NewChange], hand: Hand) -> None:
    await store.note_changes(conn, changes, at=hand.at, account_id=hand.account_id, via=hand.via)
