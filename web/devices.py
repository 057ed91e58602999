"""The devices and their pages: last values, a chart with thresholds and alarms, refused messages."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web
from psycopg import AsyncConnection

from config.profiles import load_profiles
from config.text import Language, Text
from config.vocabulary import Signal
from gateway.refusals import REASONS
from rules.ruleset import RuleSet
from storage import telemetry
from storage.telemetry import Bucket, Sample
from web import device_store
from web.access import OFFICE, require
from web.deadlines import duration
from web.device_store import DeviceAlarm, DeviceRow
from web.errors import Refusal
from web.house import house_of, now_of
from web.i18n import language_of
from web.readings import Line, choice_words, lines_of, signals_of, value_words
from web.render import page, translator
from web.session import account_of
from web.times import exact

POINTS: Final = 240
FEWEST_POINTS: Final = 24
LETTERS_SINCE: Final = timedelta(days=30)
MOST_MARKS: Final = 200


@dataclass(frozen=True, slots=True)
class Span:
    """How far back a chart looks."""

    length: timedelta
    words: Text


SPANS: Final = {
    "hour": Span(timedelta(hours=1), Text(zh="一小时", en="Hour")),
    "day": Span(timedelta(days=1), Text(zh="一天", en="Day")),
    "week": Span(timedelta(days=7), Text(zh="一周", en="Week")),
    "month": Span(timedelta(days=30), Text(zh="一月", en="Month")),
}
DEFAULT_SPAN: Final = "day"


def routes() -> list[web.RouteDef]:
    """Return the routes of the device pages."""
    return [
        web.get("/devices", devices),
        web.get("/devices/{community}/{code}", device),
        web.get("/devices/{community}/{code}/values", values_part),
        web.get("/devices/{community}/{code}/series.json", series),
    ]


@require(*OFFICE)
async def devices(request: web.Request) -> web.StreamResponse:
    """List the devices that fit the words searched for."""
    words = request.query.get("q", "").replace("\0", "").strip()
    account = account_of(request)
    async with house_of(request).pool.connection() as conn:
        found = await device_store.search_devices(conn, account.communities, words)
    return page(
        request,
        "device/list.html",
        {
            "devices": found[: device_store.MOST_DEVICES],
            "more": len(found) > device_store.MOST_DEVICES,
            "q": words,
            "many_communities": len(account.communities) > 1,
        },
    )


# --- one device ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Value:
    """A signal's last value as shown."""

    signal: str
    label: str
    words: str
    unit: str
    ts: datetime


@dataclass(frozen=True, slots=True)
class ShownAlarm:
    """An alarm with how long it lasted, in words."""

    alarm: DeviceAlarm
    lasted: str


async def _device_or_404(conn: AsyncConnection, request: web.Request) -> DeviceRow:
    match = request.match_info
    shown = await device_store.device(
        conn, match["community"], match["code"], account_of(request).communities
    )
    if shown is None:
        raise Refusal(404)
    return shown


def _last_values(shown: DeviceRow, last: dict[str, Sample], language: Language) -> list[Value]:
    """Return what was heard, in the vocabulary's order."""
    return [
        Value(
            name,
            signal.label[language],
            value_words(signal, last[name].value, language),
            signal.unit,
            last[name].ts,
        )
        for name, signal in signals_of(shown.asset_class).items()
        if name in last
    ]


def _choice(request: web.Request, shown: DeviceRow, last: dict[str, Sample]) -> tuple[str, str]:
    """Return the signal and span asked for, or the likely ones."""
    span = request.query.get("span", DEFAULT_SPAN)
    known = [name for name in signals_of(shown.asset_class) if name in last]
    signal = request.query.get("signal", "")
    if signal not in known:
        signal = _likely(_rules(request, shown), shown, known)
    return signal, span if span in SPANS else DEFAULT_SPAN


def _likely(ruled: RuleSet, shown: DeviceRow, known: list[str]) -> str:
    """Return the signal somebody most likely wants to see: the first number that a rule watches."""
    signals = signals_of(shown.asset_class)
    watched = {name for rule in ruled.rules for name in rule.signals}
    numbers = (name for name in known if name in watched and signals[name].type == "number")
    return next(numbers, known[0] if known else "")


@require(*OFFICE)
async def device(request: web.Request) -> web.StreamResponse:
    """Show one device."""
    language, now = language_of(request), now_of(request)
    async with house_of(request).pool.connection() as conn:
        shown = await _device_or_404(conn, request)
        last = await telemetry.latest(conn, shown.community_id, shown.device_id)
        signal, span = _choice(request, shown, last)
        points = await _buckets(conn, shown, signal, span, now) if signal else []
        alarms = await device_store.alarms(conn, shown.device_id)
        letters = await device_store.letters(conn, shown, now - LETTERS_SINCE)
    known = signals_of(shown.asset_class)
    zone = ZoneInfo(shown.timezone)
    return page(
        request,
        "device/device.html",
        {
            "device": shown,
            "zone": zone,
            "values": _last_values(shown, last, language),
            "signal": signal,
            "signal_label": known[signal].label[language] if signal else "",
            "span": span,
            "spans": {key: each.words[language] for key, each in SPANS.items()},
            "summary": _summary(request, points, known[signal], zone) if signal else "",
            "lines": _lines(_rules(request, shown), shown, signal),
            "stepped": bool(signal) and known[signal].type != "number",
            "alarms": [
                ShownAlarm(
                    each, duration(each.cleared_at - each.raised_at, language) if each.cleared_at else ""
                )
                for each in alarms
            ],
            "letters": letters,
            "reasons": {code: words[language] for code, words in REASONS.items()},
        },
    )


@require(*OFFICE)
async def values_part(request: web.Request) -> web.StreamResponse:
    """Return the last values alone, for the live page."""
    async with house_of(request).pool.connection() as conn:
        shown = await _device_or_404(conn, request)
        last = await telemetry.latest(conn, shown.community_id, shown.device_id)
    signal, span = _choice(request, shown, last)
    return page(
        request,
        "device/_values.html",
        {
            "values": _last_values(shown, last, language_of(request)),
            "signal": signal,
            "span": span,
            "zone": ZoneInfo(shown.timezone),
        },
    )


def _summary(request: web.Request, points: list[Bucket], signal: Signal, zone: ZoneInfo) -> str:
    """Say what the chart shows, for whoever cannot see it."""
    language, say = language_of(request), translator(request)
    heard = [point for point in points if point.minimum is not None and point.maximum is not None]
    if not heard:
        return say.gettext("Nothing was measured in this time. Choose a longer one.")
    if signal.type != "number":
        latest = heard[-1]
        words = value_words(signal, latest.maximum or 0.0, language)
        return say.gettext("Last: %(value)s, %(time)s.") % {
            "value": words,
            "time": exact(latest.start, zone, language),
        }
    lowest = min(heard, key=lambda point: point.minimum or 0.0)
    highest = max(heard, key=lambda point: point.maximum or 0.0)
    unit = f" {signal.unit}" if signal.unit else ""
    return say.gettext("Lowest %(low)s, highest %(high)s (%(time)s).") % {
        "low": value_words(signal, lowest.minimum or 0.0, language) + unit,
        "high": value_words(signal, highest.maximum or 0.0, language) + unit,
        "time": exact(highest.start, zone, language),
    }


# --- the chart ----------------------------------------------------------------------------------------


async def _buckets(
    conn: AsyncConnection, shown: DeviceRow, signal: str, span: str, now: datetime
) -> list[Bucket]:
    profiles, length = load_profiles(), SPANS[span].length
    interval = profiles[shown.profile].report_interval if shown.profile in profiles else None
    return await telemetry.series(
        conn,
        shown.community_id,
        shown.device_id,
        signal,
        now - length,
        now,
        POINTS,
        # Steps as wide as the device's pauses show no gap where there is none; a short span keeps its detail.
        at_least=min(interval or timedelta(), length / FEWEST_POINTS),
    )


def _rules(request: web.Request, shown: DeviceRow) -> RuleSet:
    return house_of(request).book.for_class(shown.asset_class)


def _lines(ruled: RuleSet, shown: DeviceRow, signal: str) -> list[Line]:
    defaults = {name: each.default for name, each in ruled.attributes.items()}
    return lines_of(ruled.rules, signal, shown.attributes, defaults) if signal else []


@require(*OFFICE)
async def series(request: web.Request) -> web.StreamResponse:
    """Return what the chart draws: points with gaps, thresholds, and the moments of alarms."""
    language, now = language_of(request), now_of(request)
    name, span = request.query.get("signal", ""), request.query.get("span", DEFAULT_SPAN)
    async with house_of(request).pool.connection() as conn:
        shown = await _device_or_404(conn, request)
        signal = signals_of(shown.asset_class).get(name)
        if signal is None or span not in SPANS:
            raise Refusal(404)
        points = await _buckets(conn, shown, name, span, now)
        since = now - SPANS[span].length
        alarms = await device_store.alarms(conn, shown.device_id, since=since, most=MOST_MARKS)
    stepped = signal.type != "number"
    return web.json_response(
        {
            "from": since.timestamp(),
            "to": now.timestamp(),
            "unit": signal.unit,
            "minimum": signal.minimum,
            "values": choice_words(signal, language),
            "t": [point.start.timestamp() for point in points],
            "min": [point.minimum for point in points],
            "mean": [point.maximum if stepped else point.mean for point in points],
            "max": [point.maximum for point in points],
            "lines": [
                {"value": line.value, "label": line.label[language], "severity": line.severity}
                for line in _lines(_rules(request, shown), shown, name)
            ],
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
