"""The chart of a device's signal: its spans, its points, and what is drawn on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web
from psycopg import AsyncConnection

from config.profiles import load_profiles
from config.text import Text
from config.vocabulary import Signal
from rules.ruleset import RuleSet
from storage import telemetry
from storage.telemetry import Bucket, Sample
from web import device_store
from web.access import OFFICE, require
from web.chart import drawn
from web.device_finding import device_or_404
from web.device_store import DeviceRow
from web.errors import Refusal
from web.house import house_of, now_of
from web.i18n import language_of
from web.readings import Line, lines_of, signals_of, value_words
from web.render import translator
from web.times import day, exact

POINTS: Final = 240
FEWEST_POINTS: Final = 24
MOST_MARKS: Final = 200
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """How far back a chart looks."""

    length: timedelta
    words: Text


SPANS: Final[Mapping[str, Span]] = {
    "hour": Span(timedelta(hours=1), Text(zh="一小时", en="Hour")),
    "day": Span(timedelta(days=1), Text(zh="一天", en="Day")),
    "week": Span(timedelta(days=7), Text(zh="一周", en="Week")),
    "month": Span(timedelta(days=30), Text(zh="一月", en="Month")),
    "year": Span(timedelta(days=365), Text(zh="一年", en="Year")),
}
DEFAULT_SPAN: Final = "day"


def routes() -> list[web.RouteDef]:
    """Return the route of the chart's points."""
    return [web.get("/devices/{community}/{code}/series.json", series)]


def choice(request: web.Request, shown: DeviceRow, last: Mapping[str, Sample]) -> tuple[str, str]:
    """Return the signal and span asked for, or the likely ones."""
    span = request.query.get("span", DEFAULT_SPAN)
    known = [name for name in signals_of(shown.asset_class) if name in last]
    signal = request.query.get("signal", "")
    if signal not in known:
        signal = _likely(rules_of(request, shown), shown, known)
    return signal, span if span in SPANS else DEFAULT_SPAN


def _likely(ruled: RuleSet, shown: DeviceRow, known: list[str]) -> str:
    """Return the signal somebody most likely wants to see: the first number that a rule watches."""
    signals = signals_of(shown.asset_class)
    watched = {name for rule in ruled.rules for name in rule.signals}
    numbers = (name for name in known if name in watched and signals[name].type == "number")
    return next(numbers, known[0] if known else "")


def rules_of(request: web.Request, shown: DeviceRow) -> RuleSet:
    """Return the rules a device's messages are held against."""
    return house_of(request).book.for_class(shown.asset_class)


def lines(ruled: RuleSet, shown: DeviceRow, signal: str) -> list[Line]:
    """Return the thresholds drawn on a signal's chart."""
    return lines_of(ruled.rules, signal, shown.attributes, ruled.attributes) if signal else []


def interval_of(shown: DeviceRow) -> timedelta | None:
    """Return how often a device is expected to report, None where its profile does not say."""
    profiles = load_profiles()
    return profiles[shown.profile].report_interval if shown.profile in profiles else None


async def buckets(
    conn: AsyncConnection, shown: DeviceRow, signal: str, span: str, now: datetime
) -> list[Bucket]:
    """Return the points of a chart that ends now."""
    length = SPANS[span].length
    return await telemetry.series(
        conn,
        shown.community_id,
        shown.device_id,
        signal,
        now - length,
        now,
        POINTS,
        # Steps as wide as the device's pauses show no gap where there is none; a short span keeps its detail.
        at_least=min(interval_of(shown) or timedelta(), length / FEWEST_POINTS),
    )


def summary(request: web.Request, points: list[Bucket], signal: Signal, zone: ZoneInfo) -> str:
    """Say what the chart shows, for whoever cannot see it."""
    language, say = language_of(request), translator(request)
    heard = [point for point in points if point.minimum is not None and point.maximum is not None]
    if not heard:
        return say.gettext("Nothing was measured in this time. Choose a longer one.")

    def at(moment: datetime) -> str:
        whole_days = len(points) > 1 and points[1].start - points[0].start >= _DAY
        return day(moment.astimezone(zone).date(), language) if whole_days else exact(moment, zone, language)

    if signal.type != "number":
        latest = heard[-1]
        words = value_words(signal, latest.maximum or 0.0, language)
        return say.gettext("Last: %(value)s, %(time)s.") % {"value": words, "time": at(latest.start)}
    lowest = min(heard, key=lambda point: point.minimum or 0.0)
    highest = max(heard, key=lambda point: point.maximum or 0.0)
    unit = f" {signal.unit}" if signal.unit else ""
    return say.gettext("Lowest %(low)s, highest %(high)s (%(time)s).") % {
        "low": value_words(signal, lowest.minimum or 0.0, language) + unit,
        "high": value_words(signal, highest.maximum or 0.0, language) + unit,
        "time": at(highest.start),
    }


@require(*OFFICE)
async def series(request: web.Request) -> web.StreamResponse:
    """Return what the chart draws: points with gaps, thresholds, and the moments of alarms."""
    language, now = language_of(request), now_of(request)
    name, span = request.query.get("signal", ""), request.query.get("span", DEFAULT_SPAN)
    async with house_of(request).pool.connection() as conn:
        shown = await device_or_404(conn, request)
        signal = signals_of(shown.asset_class).get(name)
        if signal is None or span not in SPANS:
            raise Refusal(404)
        points = await buckets(conn, shown, name, span, now)
        since = points[0].start
        alarms = await device_store.alarms(conn, shown.device_id, since=since, most=MOST_MARKS)
    thresholds = lines(rules_of(request, shown), shown, name)
    return web.json_response(
        {
            **drawn(signal, points, (points[0].start, now), thresholds, language),
            "alarms": [
                {
                    "t": alarm.raised_at.timestamp(),
                    "until": alarm.cleared_at.timestamp() if alarm.cleared_at else None,
                    "title": alarm.title[language],
                    "severity": alarm.severity,
                }
                for alarm in alarms
            ],
        }
    )
