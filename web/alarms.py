"""The office's alarms: what is live and why nobody was told of it, and the history with its durations."""

import csv
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from io import StringIO
from typing import Final

from aiohttp import hdrs, web
from psycopg import AsyncConnection

from dispatch.policy import shipped_policy
from dispatch.status import SEVERITIES
from dispatch.store.alarm_lists import STATES, AlarmLine, live_alarms, past_alarms
from web import desk_store
from web.access import OFFICE, require
from web.deadlines import duration
from web.house import house_of, now_of
from web.i18n import language_of
from web.render import page
from web.session import account_of, zone_of
from web.taps import fresh
from web.words import say

MOST_SHOWN: Final = 200
MOST_EXPORTED: Final = 50_000
USUAL_DAYS: Final = 30
_YEARS: Final = range(1970, 9999)


def routes() -> list[web.RouteDef]:
    """Return the routes of the lists; one alarm is in `web.alarm_page`, quiet times in `web.quiet_pages`."""
    return [
        web.get("/alarms", alarms),
        web.get("/alarms/live", live_part),
        web.get("/alarms/history", history),
        web.get("/alarms/history.csv", history_csv),
    ]


@require(*OFFICE)
async def alarms(request: web.Request) -> web.StreamResponse:
    """List live alarms by severity."""
    return page(request, "alarms/list.html", await _live(request))


@require(*OFFICE)
async def live_part(request: web.Request) -> web.StreamResponse:
    """Return the list alone, for the live page."""
    return page(request, "alarms/_live.html", await _live(request))


async def _live(request: web.Request) -> dict[str, object]:
    severity, state = asked(request, "severity", SEVERITIES), asked(request, "state", STATES)
    async with house_of(request).pool.connection() as conn:
        communities, wanted, community = await choose(conn, request)
        found = await live_alarms(conn, wanted, severity or None, MOST_EXPORTED if state else MOST_SHOWN)
    usual = shipped_policy().alarms.acknowledge.usual
    shown = [each for each in found if state in {"", each.state}][:MOST_SHOWN]
    return {
        "community_choices": _named(request, communities),
        "community": community,
        "severity": severity,
        "state": state,
        "severity_choices": _said(request, "severity", SEVERITIES),
        "state_choices": _said(request, "alarm_state", STATES),
        "alarms": shown,
        "query": request.query_string,
        "lasted": _lasted(request),
        "ack_usual": int(usual.total_seconds()),
        "ack_words": duration(usual, language_of(request)),
        "request_id": fresh,
        "full": len(shown) == MOST_SHOWN,
        "filtered": bool(severity or state or community),
    }


async def choose(
    conn: AsyncConnection, request: web.Request
) -> tuple[list[desk_store.CommunityName], list[int], str]:
    """Return the reader's communities, those asked for, and the code of the one that was chosen."""
    communities = await desk_store.community_names(conn, account_of(request).communities)
    code = asked(request, "community", [each.code for each in communities])
    return communities, [each.id for each in communities if code in {"", each.code}], code


def asked(request: web.Request, name: str, known: Sequence[str]) -> str:
    """Return what the address chooses, empty where it names nothing that is there."""
    value = request.query.get(name, "")
    return value if value in known else ""


@require(*OFFICE)
async def history(request: web.Request) -> web.StreamResponse:
    """List the alarms that began in a time, with how long each lasted."""
    severity, first, last = asked(request, "severity", SEVERITIES), *days_of(request)
    async with house_of(request).pool.connection() as conn:
        communities, wanted, community = await choose(conn, request)
        found = await past_alarms(conn, wanted, *_span(request), severity or None, MOST_SHOWN)
    return page(
        request,
        "alarms/history.html",
        {
            "community_choices": _named(request, communities),
            "community": community,
            "severity": severity,
            "severity_choices": _said(request, "severity", SEVERITIES),
            "first": first,
            "last": last,
            "alarms": found,
            "query": request.query_string,
            "lasted": _lasted(request),
            "full": len(found) == MOST_SHOWN,
            "most": MOST_SHOWN,
        },
    )


@require(*OFFICE)
async def history_csv(request: web.Request) -> web.StreamResponse:
    """Return the same as a sheet that Excel opens: times in UTC, durations in seconds."""
    severity = asked(request, "severity", SEVERITIES)
    async with house_of(request).pool.connection() as conn:
        _, wanted, _ = await choose(conn, request)
        found = await past_alarms(conn, wanted, *_span(request), severity or None, MOST_EXPORTED)
    first, last = days_of(request)
    return web.Response(
        body=sheet(found).encode("utf-8-sig"),
        content_type="text/csv",
        charset="utf-8",
        headers={hdrs.CONTENT_DISPOSITION: f'attachment; filename="alarms-{first}-{last}.csv"'},
    )


COLUMNS: Final = (
    "alarm", "community", "severity", "rule", "title_zh", "title_en", "place_zh", "place_en", "device",
    "began", "known", "told", "ended", "ended_known", "seconds", "state", "held_by", "held_zh", "held_en",
    "acknowledged_by", "order", "ended_zh", "ended_en",
)  # fmt: skip


def sheet(alarms: Sequence[AlarmLine]) -> str:
    """Write alarms as CSV. A cell that a spreadsheet would run as a formula is made a text."""
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for each in alarms:
        lasted = "" if each.cleared_at is None else round((each.cleared_at - each.raised_at).total_seconds())
        row = (
            each.alarm_id, each.community, each.severity, each.rule, each.title.zh, each.title.en,
            each.place.zh, each.place.en, each.device, _utc(each.raised_at), _utc(each.recorded_at),
            _utc(each.paged_at), _utc(each.cleared_at), _utc(each.cleared_known_at), lasted, each.state,
            each.held_by or "",
            each.held.zh, each.held.en, each.ack_name or "", each.order_number or "",
            each.ended.zh, each.ended.en,
        )  # fmt: skip
        writer.writerow([_cell(value) for value in row])
    return out.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


def _utc(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def days_of(request: web.Request) -> tuple[date, date]:
    """Return the first and the last day asked for; the last month where the address names none."""
    today = now_of(request).astimezone(zone_of(request)).date()
    last = _day(request.query.get("last", "")) or today
    first = _day(request.query.get("first", "")) or last - timedelta(days=USUAL_DAYS)
    return min(first, last), max(first, last)


def _day(value: str) -> date | None:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return None
    return day if day.year in _YEARS else None


def _span(request: web.Request) -> tuple[datetime, datetime]:
    first, last = days_of(request)
    zone = zone_of(request)
    return (
        datetime.combine(first, time(), zone).astimezone(UTC),
        datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC),
    )


def _named(request: web.Request, communities: Sequence[desk_store.CommunityName]) -> list[tuple[str, str]]:
    return [(each.code, each.name[language_of(request)]) for each in communities]


def _said(request: web.Request, group: str, keys: Sequence[str]) -> list[tuple[str, str]]:
    return [(key, say(group, key, language_of(request))) for key in keys]


def _lasted(request: web.Request) -> object:
    now, language = now_of(request), language_of(request)

    def lasted(alarm: AlarmLine) -> str:
        return duration(alarm.lasted(now), language)

    return lasted
