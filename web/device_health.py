"""How well a device is heard and how long its battery lasts: asked of its readings, said in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from aiohttp import web
from psycopg import AsyncConnection

from config.text import Language
from storage import telemetry
from storage.telemetry import Sample
from web import battery
from web.availability import Availability, availability, reach, window
from web.battery import Falling, Outlook, Spent, Steady, TooShort, outlook
from web.device_chart import interval_of
from web.device_store import DeviceRow
from web.i18n import language_of
from web.readings import signals_of
from web.render import translator
from web.times import day, month

BATTERY: Final = "battery_percent"
_TALL: Final = 32  # the strip's height in its own units
_SOON: Final = timedelta(days=60)
# Below these shares of a day a bar is drawn as a matter to look at, and as a bad one.
_GOOD: Final = 0.95
_POOR: Final = 0.5

Tone = Literal["good", "minor", "major", "waiting"]


@dataclass(frozen=True, slots=True)
class Health:
    """What is known; None where nothing can be said: no expected interval, never heard, no battery."""

    availability: Availability | None
    battery: Outlook | None
    level: float | None


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of the strip: how tall of 32, how it looks, and the words for it."""

    tall: int
    tone: Tone
    words: str


@dataclass(frozen=True, slots=True)
class BatteryWords:
    """What is said about a battery: its level, a headline, what stands behind it."""

    level: float | None
    tone: Tone
    icon: str
    headline: str
    behind: str


async def health(
    conn: AsyncConnection, shown: DeviceRow, last: Mapping[str, Sample], now: datetime
) -> Health:
    """Ask a device's readings how well it is heard, and how its battery does."""
    found = await _availability(conn, shown, last, now)
    if BATTERY not in last:
        return Health(found, None, None)
    zone = ZoneInfo(shown.timezone)
    points = await telemetry.series(
        conn,
        shown.community_id,
        shown.device_id,
        BATTERY,
        now - battery.LONGEST,
        now,
        battery.LONGEST.days,
        at_least=timedelta(days=1),
    )
    # Steps are days in UTC; their middle tells which day that is here.
    levels = [
        ((point.start + timedelta(hours=12)).astimezone(zone).date(), point.mean)
        for point in points
        if point.mean is not None
    ]
    today = now.astimezone(zone).date()
    levels = [(min(each, today), level) for each, level in levels]
    return Health(found, outlook(levels, today), last[BATTERY].value)


async def _availability(
    conn: AsyncConnection, shown: DeviceRow, last: Mapping[str, Sample], now: datetime
) -> Availability | None:
    interval = interval_of(shown)
    if interval is None or not last:
        return None
    start, end = window(now)
    signals = [name for name in signals_of(shown.asset_class) if name in last]
    heard = await telemetry.heard_hours(
        conn, shown.community_id, shown.device_id, signals, start - reach(interval), end
    )
    before = await telemetry.was_heard_before(conn, shown.community_id, shown.device_id, start)
    return availability(heard, interval, now, ZoneInfo(shown.timezone), heard_before=before)


def strip(found: Availability, language: Language) -> list[Bar]:
    """Return the days as bars."""
    bars = []
    for each in found.days:
        said = day(each.day, language)
        if each.share is None:
            bars.append(Bar(0, "waiting", f"{said}: –"))
            continue
        tone: Tone = "good" if each.share >= _GOOD else "minor" if each.share >= _POOR else "major"
        # A day of silence is a stub: nothing at all would look like a day without expectation.
        bars.append(Bar(max(2, round(each.share * _TALL)), tone, f"{said}: {percent(each.share)}"))
    return bars


def percent(share: float) -> str:
    """Say a share so that less than all is never said as all: 99.96 % is not 100 %."""
    tenths = int(share * 1000 + 1e-9)
    return f"{tenths // 10} %" if tenths % 10 == 0 else f"{tenths / 10:.1f} %"


def battery_words(request: web.Request, known: Health, today: date) -> BatteryWords | None:
    """Say how a battery does; None for a device that never spoke of one."""
    say = translator(request)
    match known.battery:
        case None:
            return None
        case Falling() as falling:
            soon = falling.spent - today <= _SOON
            tone: Tone = "minor" if soon else "good"
            icon = "battery-low" if soon else "battery-full"
            return BatteryWords(known.level, tone, icon, *_falling(request, falling))
        case Spent():
            return BatteryWords(
                known.level,
                "major",
                "battery-warning",
                say.gettext("At its end: change it now."),
                say.gettext("At ten percent or below, now or by its trend: the sensor may fail any day."),
            )
        case Steady():
            return BatteryWords(
                known.level,
                "good",
                "battery-full",
                say.gettext("Not falling."),
                say.gettext("By the trend of its days it lasts longer than ten years."),
            )
        case TooShort(days=days):
            behind = say.gettext("A trend needs ten days with a level, over three weeks; there are %(n)s.")
            headline = say.gettext("Not enough history for an expected end yet.")
            return BatteryWords(known.level, "waiting", "history", headline, behind % {"n": days})


def _falling(request: web.Request, falling: Falling) -> tuple[str, str]:
    """Say until when a falling battery lasts, and why that is thought."""
    language, say = language_of(request), translator(request)
    values = {
        "rate": f"{falling.per_month:.1f}",
        "from": month(falling.earliest, language),
        "to": month(falling.latest, language) if falling.latest else "",
    }
    if falling.latest is None:
        behind = say.gettext("Falls by %(rate)s points a month; at 10 %% not before %(from)s.")
    elif values["from"] == values["to"]:
        behind = say.gettext("Falls by %(rate)s points a month, down to 10 %%.")
    else:
        behind = say.gettext("Falls by %(rate)s points a month; at 10 %% between %(from)s and %(to)s.")
    headline = say.gettext("Expected to last until about %(month)s.")
    return headline % {"month": month(falling.spent, language)}, behind % values
