"""“I am on it until then”: acknowledging an alarm, taking that back, telling people again when it runs out.

An acknowledgement stops no offer and changes no deadline. It only keeps the office from being asked who takes
the alarm's order, and that only until its time is over.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from psycopg import AsyncConnection

from config.text import Text
from dispatch import notices
from dispatch.notices import AlarmNotice, Whom
from dispatch.people import Who
from dispatch.policy import Policy, Step, shipped_policy
from dispatch.refusals import AlarmOver, BadField, NoSuchAlarm, NotAcknowledged
from dispatch.store import acks
from dispatch.store.acks import DueAck
from dispatch.words import plain
from storage.notify import notify

AT_ONCE = 200
LONGEST_WORDS = 500


async def acknowledge(
    conn: AsyncConnection,
    alarm_id: int,
    who: Who,
    now: datetime,
    lasting: timedelta | None = None,
    words: str = "",
    policy: Policy | None = None,
) -> datetime:
    """Say that somebody is on a live alarm for so long (None: as is usual); until when that stands.

    It takes the place of an earlier one. May raise NoSuchAlarm, AlarmOver, BadField.
    """
    terms = (policy or shipped_policy()).alarms.acknowledge
    length = terms.usual if lasting is None else lasting
    if not timedelta() < length <= terms.longest:
        hours = f"{terms.longest / timedelta(hours=1):g}"
        right = Text(zh=f"应大于 0，最长 {hours} 小时", en=f"longer than nothing, at most {hours} h")
        raise BadField("lasting", str(length), right)
    said = plain("words", words, LONGEST_WORDS)
    _check_name(who)
    alarm = await acks.lock_alarm(conn, alarm_id)
    if alarm is None:
        raise NoSuchAlarm(alarm_id)
    if alarm.cleared_at is not None:
        raise AlarmOver(alarm_id)
    await acks.end(conn, [alarm_id], now, "replaced")
    until = now + length
    await acks.add(conn, alarm, who, now, until, said)
    minutes = round(length / timedelta(minutes=1))
    why = Text(
        zh=f"{minutes} 分钟内跟进" + (f"：{said}" if said else ""),
        en=f"will follow it up within {minutes} min" + (f": {said}" if said else ""),
    )
    await acks.add_event(conn, [alarm_id], "acknowledged", now, who, why)
    await _changed(conn, [alarm_id], alarm.community_id, now)
    return until


async def withdraw(conn: AsyncConnection, alarm_id: int, who: Who, now: datetime) -> None:
    """Take an acknowledgement back: asking who takes the alarm goes on at once.

    May raise NoSuchAlarm, NotAcknowledged.
    """
    _check_name(who)
    alarm = await acks.lock_alarm(conn, alarm_id)
    if alarm is None:
        raise NoSuchAlarm(alarm_id)
    if not await acks.end(conn, [alarm_id], now, "withdrawn"):
        raise NotAcknowledged(alarm_id)
    await acks.add_event(conn, [alarm_id], "ack_withdrawn", now, who)
    await _changed(conn, [alarm_id], alarm.community_id, now)


async def expire(conn: AsyncConnection, now: datetime, policy: Policy | None = None) -> int:
    """Look at acknowledgements whose time has come: end those followed up, tell people again of the others.

    Where an order is live its own ladder goes on and reminds people; where none is, they are reminded here,
    by the same steps, until somebody takes the alarm or it ends. How many were looked at.
    """
    house = policy or shipped_policy()
    due = await acks.due(conn, now, AT_ONCE)
    over = [each.alarm_id for each in due if each.over]
    if over:
        await acks.end(conn, over, now, "cleared")
    done = [each for each in due if each.followed_up and not each.over]
    waiting = [each for each in due if not each.followed_up and not each.over]
    if done:
        ids = [each.alarm_id for each in done]
        await acks.end(conn, ids, now, "followed_up")
        await acks.add_event(conn, ids, "followed_up", now)
    again = now + house.escalation.repeat
    quiet = [each for each in waiting if each.held or (each.expired and each.has_order)]
    if quiet:
        await acks.put_off(conn, [each.id for each in quiet], now, again, told=False)
    await _tell(conn, [each for each in waiting if each not in quiet], now, house)
    for community_id in sorted({each.community_id for each in due}):
        ids = sorted(each.alarm_id for each in due if each.community_id == community_id)
        await _changed(conn, ids, community_id, now)
    return len(due)


async def _tell(conn: AsyncConnection, late: Sequence[DueAck], now: datetime, policy: Policy) -> None:
    for reminded in sorted({each.reminded if each.expired else -1 for each in late}):
        some = [each for each in late if (each.reminded if each.expired else -1) == reminded]
        ids = [each.alarm_id for each in some]
        first = reminded < 0
        await acks.put_off(conn, [each.id for each in some], now, now + policy.escalation.repeat, told=True)
        await acks.add_event(conn, ids, "ack_expired" if first else "reminded", now, why=_LATE)
        whom = _whom(policy.escalation.steps, reminded + 1)
        await notices.alarms_told(conn, [_notice(each, first=first) for each in some], whom, now)


def _whom(steps: Sequence[Step], step: int) -> tuple[Whom, ...]:
    """Who is told at a step of the house's ladder; beyond its end the last one again."""
    return (steps[min(step, len(steps) - 1)].whom,)


_LATE = Text(zh="无人跟进", en="nobody followed it up")


def _notice(ack: DueAck, *, first: bool) -> AlarmNotice:
    return AlarmNotice(
        alarm_id=ack.alarm_id,
        community=ack.community,
        severity=ack.severity,
        title=ack.title,
        place=ack.place,
        what="ack_expired" if first else "reminded",
        why=Text(
            zh=f"{ack.name} 确认后到期无人跟进", en=f"{ack.name} acknowledged it, and nobody followed it up"
        ),
    )


async def _changed(conn: AsyncConnection, alarm_ids: Sequence[int], community_id: int, now: datetime) -> None:
    orders = await acks.wake_orders(conn, alarm_ids, now)
    if orders:
        await notify(conn, "order", orders, community_id)
    await notify(conn, "alarm", alarm_ids, community_id)


def _check_name(who: Who) -> None:
    if not plain("name", who.name, 100):
        raise BadField("name", who.name, Text(zh="请写明姓名", en="say who you are"))
