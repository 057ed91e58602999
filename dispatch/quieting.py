"""What people decide for a while: muting alarms, and declaring a whole community in an emergency.

Alarms stay true and recorded meanwhile. When it ends, the worker tells people of those that still live.
"""

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

from psycopg import AsyncConnection

from config.text import Text
from dispatch.alarm_policy import EmergencyKind
from dispatch.holds import hold_of
from dispatch.people import Who
from dispatch.policy import Policy, shipped_policy
from dispatch.refusals import BadField, EmergencyStands, NoEmergency, NoSuchMute
from dispatch.store import alarm_life, quiet
from dispatch.store.standing import standings
from dispatch.words import plain
from rules.rule import HeldBy
from storage.notify import notify

LONGEST_WORDS = 500


@dataclass(frozen=True, slots=True)
class NewMute:
    """What is to be muted: a whole community, or in it one rule, one asset or one area, or a rule in one."""

    community_id: int
    why: str
    until: datetime
    rule: str | None = None
    asset_id: int | None = None
    area_id: int | None = None
    request_id: str | None = None  # the tap, where it was one


async def mute(
    conn: AsyncConnection,
    new: NewMute,
    who: Who,
    now: datetime,
    rules: Container[str],
    policy: Policy | None = None,
) -> int:
    """Call nobody about such alarms until then; the mute's id. `rules` are the codes that there are.

    Live alarms people were told of, and that nobody has an order for, are muted at once. May raise BadField.
    """
    house = policy or shipped_policy()
    name, why = _name(who), _words("why", new.why, Text(zh="请写明原因", en="say why"))
    longest = house.alarms.mute.longest
    if not timedelta() < new.until - now <= longest:
        days = f"{longest / timedelta(days=1):g}"
        right = Text(zh=f"应在现在之后，最长 {days} 天", en=f"after now, at most {days} days from now")
        raise BadField("until", f"{new.until:%Y-%m-%d %H:%M}Z", right)
    if new.rule is not None and new.rule not in rules:
        raise BadField("rule", new.rule, Text(zh="没有这条规则", en="the code of a rule"))
    if new.asset_id is not None and new.area_id is not None:
        right = Text(zh="设备和区域只选其一", en="an asset or an area, not both")
        raise BadField("area", new.area_id, right)
    if not await quiet.belongs(conn, new.community_id, new.asset_id, new.area_id):
        what, key = ("asset", new.asset_id) if new.asset_id is not None else ("area", new.area_id)
        raise BadField(what, key, Text(zh="应属于该小区", en="one of that community"))
    mute_id = await quiet.add_mute(
        conn,
        {
            "community_id": new.community_id,
            "rule": new.rule,
            "asset_id": new.asset_id,
            "area_id": new.area_id,
            "why": why,
            "account_id": who.account_id,
            "name": name,
            "at": now,
            "until": new.until,
            "request_id": new.request_id,
        },
    )
    await _mute_the_told(conn, new.community_id, now, house)
    await notify(conn, "alarm", [], new.community_id)
    return mute_id


async def lift(conn: AsyncConnection, mute_id: int, who: Who, now: datetime) -> None:
    """End a mute before its time: people are told of what still lives. May raise NoSuchMute, BadField."""
    _name(who)
    community_id = await quiet.lift_mute(conn, mute_id, who, now)
    if community_id is None:
        raise NoSuchMute(mute_id)
    await notify(conn, "alarm", [], community_id)


async def declare(
    conn: AsyncConnection, community_id: int, kind: str, reason: str, who: Who, now: datetime
) -> int:
    """Declare a community in an emergency; its id. May raise BadField, EmergencyStands."""
    if kind not in get_args(EmergencyKind):
        listed = ", ".join(get_args(EmergencyKind))
        raise BadField("kind", kind, Text(zh=f"应为 {listed} 之一", en=f"one of {listed}"))
    said = _words("reason", reason, Text(zh="请写明原因", en="say why"))
    emergency_id = await quiet.add_emergency(
        conn, community_id, kind, said, Who(_name(who), who.account_id), now
    )
    if emergency_id is None:
        raise EmergencyStands(community_id)
    await notify(conn, "alarm", [], community_id)
    return emergency_id


async def end_emergency(
    conn: AsyncConnection, community_id: int, reason: str, who: Who, now: datetime
) -> None:
    """End it: people are told of what waited and still lives. May raise BadField, NoEmergency."""
    said = _words("reason", reason, Text(zh="请写明结束原因", en="say why it is over"))
    if not await quiet.end_emergency(conn, community_id, said, Who(_name(who), who.account_id), now):
        raise NoEmergency(community_id)
    await notify(conn, "alarm", [], community_id)


async def _mute_the_told(conn: AsyncConnection, community_id: int, now: datetime, policy: Policy) -> None:
    told = await alarm_life.lock_told_without_order(conn, community_id)
    nothing = HeldBy(emergency=False)
    if not told:
        return
    found = await standings(conn, dict.fromkeys(told, nothing), now)
    holds = {each.alarm_id: hold_of(each, nothing, policy) for each in found}
    muted = {
        alarm_id: hold for alarm_id, hold in holds.items() if hold is not None and hold.because == "mute"
    }
    if muted:
        await alarm_life.hold(conn, muted, now)


def _name(who: Who) -> str:
    return _words("name", who.name, Text(zh="请写明姓名", en="say who you are"))


def _words(field: str, words: str, right: Text) -> str:
    said = plain(field, words, LONGEST_WORDS)
    if not said:
        raise BadField(field, said, right)
    return said
