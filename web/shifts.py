"""Whether somebody is on shift, and until or from when. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from config.text import Text
from dispatch.roster import Shift

_WEEK = 7
_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Duty:
    """On shift until `until`, or off and next on at `begins`; both None for somebody without shifts."""

    until: datetime | None
    begins: datetime | None


def duty(shifts: Iterable[Shift], now: datetime, zone: ZoneInfo) -> Duty:
    """Look at this week's shifts around `now`; shifts that touch are one."""
    windows = sorted(_windows(shifts, now.astimezone(zone), zone))
    until: datetime | None = None
    for starts, ends in windows:
        if starts <= (until or now) < ends:
            until = ends
    if until is not None:
        return Duty(until=until, begins=None)
    return Duty(until=None, begins=min((starts for starts, _ in windows if starts > now), default=None))


def _windows(shifts: Iterable[Shift], local: datetime, zone: ZoneInfo) -> Iterable[tuple[datetime, datetime]]:
    for shift in shifts:
        # From yesterday, whose night shift may still run, to the same weekday next week.
        for offset in range(-1, _WEEK + 1):
            day = local.date() + timedelta(days=offset)
            if day.isoweekday() != shift.weekday:
                continue
            last = day if shift.ends > shift.starts else day + timedelta(days=1)
            yield (
                datetime.combine(day, shift.starts, zone),
                datetime.combine(last, shift.ends, zone),
            )


def duty_words(state: Duty, now: datetime, zone: ZoneInfo) -> Text:
    """Say it to the technician, with what happens next."""
    if state.until is not None and state.until - now > _A_DAY:
        return Text(
            zh="您正在当班，新工单会自动显示在这里。",
            en="You are on shift. A new job appears here by itself.",
        )
    if state.until is not None:
        end = state.until.astimezone(zone)
        return Text(
            zh=f"您当班至 {end:%H:%M}，新工单会自动显示在这里。",
            en=f"You are on shift until {end:%H:%M}. A new job appears here by itself.",
        )
    if state.begins is not None:
        begin = state.begins.astimezone(zone)
        days = (begin.date() - now.astimezone(zone).date()).days
        day = {0: Text(zh="今天", en="today"), 1: Text(zh="明天", en="tomorrow")}.get(days, _weekday(begin))
        return Text(
            zh=f"您现在不当班，下一班{day.zh} {begin:%H:%M} 开始。",
            en=f"You are off shift. Your next shift begins {day.en} at {begin:%H:%M}.",
        )
    return Text(
        zh="还没有为您排班，请联系调度。",
        en="No shifts are planned for you. Ask the desk.",
    )


def _weekday(moment: datetime) -> Text:
    names = (
        ("周一", "on Monday"),
        ("周二", "on Tuesday"),
        ("周三", "on Wednesday"),
        ("周四", "on Thursday"),
        ("周五", "on Friday"),
        ("周六", "on Saturday"),
        ("周日", "on Sunday"),
    )
    zh, en = names[moment.weekday()]
    return Text(zh=zh, en=en)
