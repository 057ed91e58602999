"""One device's page: its last values, its chart, how well it is heard, and what happened to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web

from config.text import Language
from config.vocabulary import load_vocabulary
from storage import telemetry
from storage.telemetry import Sample
from web import device_chart, device_health, device_letters, device_store
from web.access import OFFICE, require
from web.deadlines import duration
from web.device_chart import SPANS
from web.device_finding import device_or_404
from web.device_store import DeviceAlarm, DeviceRow
from web.house import house_of, now_of
from web.i18n import language_of
from web.readings import signals_of, value_words
from web.render import page

LETTERS_SINCE: Final = timedelta(days=30)


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


def routes() -> list[web.RouteDef]:
    """Return the routes of one device's page."""
    return [
        web.get("/devices/{community}/{code}", device),
        web.get("/devices/{community}/{code}/values", values_part),
    ]


def _last_values(shown: DeviceRow, last: Mapping[str, Sample], language: Language) -> list[Value]:
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


def _event_labels(shown: DeviceRow, language: Language) -> dict[str, str]:
    """Return what can happen to what the device watches, in words by code."""
    if shown.asset_class is None:
        return {}
    kinds = load_vocabulary().events_on(shown.asset_class)
    return {code: kind.label[language] for code, kind in kinds.items()}


@require(*OFFICE)
async def device(request: web.Request) -> web.StreamResponse:
    """Show one device."""
    language, now = language_of(request), now_of(request)
    async with house_of(request).pool.connection() as conn:
        shown = await device_or_404(conn, request)
        labels = _event_labels(shown, language)
        last = await telemetry.latest(conn, shown.community_id, shown.device_id)
        signal, span = device_chart.choice(request, shown, last)
        points = await device_chart.buckets(conn, shown, signal, span, now) if signal else []
        health = await device_health.health(conn, shown, last, now)
        happened = {
            "alarms": [
                ShownAlarm(
                    each, duration(each.cleared_at - each.raised_at, language) if each.cleared_at else ""
                )
                for each in await device_store.alarms(conn, shown.device_id)
            ],
            "orders": await device_store.orders(conn, shown),
            "events": await device_store.events(conn, shown, list(labels)),
            "letters": await device_store.letters(conn, shown, now - LETTERS_SINCE),
        }
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
            "summary": device_chart.summary(request, points, known[signal], zone) if signal else "",
            "lines": device_chart.lines(device_chart.rules_of(request, shown), shown, signal),
            "stepped": bool(signal) and known[signal].type != "number",
            "event_labels": labels,
            "reasons": device_letters.reasons(request),
            "availability": health.availability,
            "heard_share": device_health.percent(health.availability.share) if health.availability else "",
            "strip": device_health.strip(health.availability, language) if health.availability else [],
            "battery": device_health.battery_words(request, health, now.astimezone(zone).date()),
        }
        | happened,
    )


@require(*OFFICE)
async def values_part(request: web.Request) -> web.StreamResponse:
    """Return the last values alone, for the live page."""
    async with house_of(request).pool.connection() as conn:
        shown = await device_or_404(conn, request)
        last = await telemetry.latest(conn, shown.community_id, shown.device_id)
    signal, span = device_chart.choice(request, shown, last)
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
