"""A trial: how far it is, what it found, the moments on a chart, and switching on."""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec
from aiohttp import web
from psycopg import AsyncConnection

from dispatch.foresight import AlarmTime, Change, Foresight
from dispatch.switching import rules_gone
from rules.book import RuleBook
from rules.document import RuleFileError
from rules.sources import class_of
from rules.versions import trial_store
from rules.versions.force import InForce
from rules.versions.switching import By, switch_on
from rules.versions.trial_store import Trial
from storage import telemetry
from storage.notify import notify
from web import device_store
from web.access import require
from web.chart import drawn
from web.errors import Refusal
from web.house import house_of, now_of
from web.i18n import language_of
from web.readings import lines_of, signals_of
from web.render import page, translator
from web.rules_pages import REFUSALS, diff, known_of, naming, overtaken, said
from web.rules_shown import differences, with_words
from web.session import account_of
from web.taps import word_of

POINTS: Final = 480
CHANGES_SHOWN: Final = 100
MOST_MARKS: Final = 400


def routes() -> list[web.RouteDef]:
    """Return the routes of trials."""
    return [
        web.get(r"/rules/trials/{trial:\d{1,15}}", trial_page),
        web.get(r"/rules/trials/{trial:\d{1,15}}/progress", progress),
        web.get(r"/rules/trials/{trial:\d{1,15}}/series.json", series),
        web.post(r"/rules/trials/{trial:\d{1,15}}/cancel", cancel),
        web.post(r"/rules/trials/{trial:\d{1,15}}/switch-on", switch),
    ]


async def _trial(conn: AsyncConnection, request: web.Request) -> Trial:
    found = await trial_store.read(conn, int(request.match_info["trial"]))
    if found is None:
        raise Refusal(404)
    return found


def _found(trial: Trial) -> Foresight | None:
    return None if trial.result is None else msgspec.json.decode(trial.result, type=Foresight)


@require("administrator")
async def trial_page(request: web.Request) -> web.StreamResponse:
    """Show a trial."""
    return await _page(request)


async def _page(request: web.Request, fault: str = "", status: int = 200) -> web.Response:
    known = await known_of(request)
    async with house_of(request).pool.connection() as conn:
        trial = await _trial(conn, request)
    present = known.source(trial.file)
    today = present.text if present else ""
    return page(
        request,
        "rules/trial.html",
        {
            **naming(request),
            **_view(request, trial),
            "asset_class": class_of(present) if present else None,
            "differences": await asyncio.to_thread(differences, known, trial.file, today, trial.text),
            "lines": diff(today, trial.text),
            "overtaken": overtaken(request, known, trial.file, trial.base, trial.made_from),
            "base": known.version(trial.file),
            "made_from": known.digest(trial.file),
            "fault": fault,
            "rule_title": _titles(request, known.book),
        },
        status=status,
    )


def _titles(request: web.Request, book: RuleBook) -> Callable[[str], str]:
    """Return how rules are called now; one that is in no file yet by its code."""
    language, titles = language_of(request), {rule.code: rule.title for rule in book.rules}
    return lambda code: titles[code][language] if code in titles else code


def _view(request: web.Request, trial: Trial) -> dict[str, object]:
    found = _found(trial)
    chart = _chart(request, found) if found is not None else None
    return {
        "trial": trial,
        "found": found,
        "changes": found.changes[:CHANGES_SHOWN] if found else (),
        "more": len(found.changes) - CHANGES_SHOWN + found.left_out if found else 0,
        "chart": chart,
        "titles": {line.rule: line.title for line in found.rules} if found else {},
        "live": trial.status in {"waiting", "running"},
    }


def _chart(request: web.Request, found: Foresight) -> Change | None:
    """Return the change whose device and rule are drawn: the one asked for, else the first."""
    asked = request.query.get("change", "0")
    position = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 6 else 0  # noqa: PLR2004 - no more are kept
    shown = found.changes[position : position + 1] or found.changes[:1]
    return shown[0] if shown else None


@require("administrator")
async def progress(request: web.Request) -> web.StreamResponse:
    """Return how far it is, for the page that waits; once it is over the page loads anew."""
    async with house_of(request).pool.connection() as conn:
        trial = await _trial(conn, request)
    answer = page(request, "rules/_progress.html", _view(request, trial))
    if trial.status not in {"waiting", "running"}:
        answer.headers["HX-Refresh"] = "true"
    return answer


@require("administrator")
async def cancel(request: web.Request) -> web.StreamResponse:
    """End a trial."""
    async with house_of(request).pool.connection() as conn:
        trial = await _trial(conn, request)
        await trial_store.cancel(conn, trial.id, now_of(request))
        await notify(conn, "rules", [trial.id])
    raise web.HTTPSeeOther(f"/rules/trials/{trial.id}")


@require("administrator")
async def switch(request: web.Request) -> web.StreamResponse:
    """Put the rules of a trial in force."""
    house, account, form = house_of(request), account_of(request), await request.post()
    known = await known_of(request)
    async with house.pool.connection() as conn:
        trial = await _trial(conn, request)
    if form.get("sure") != "yes":
        say = translator(request)
        return await _page(
            request, say.gettext("Confirm that these rules shall be in force; nothing was changed."), 422
        )
    by, now = By(account.name, word_of(form, "reason"), account.id), now_of(request)
    try:
        async with house.pool.connection() as conn, conn.transaction():
            made_from = trial.made_from or ""
            done = await switch_on(conn, known.files, trial.file, trial.text, trial.base, by, now, made_from)
            await rules_gone(conn, [alarm_id for alarm_id, _ in done.ended], now)
            await trial_store.cancel(conn, trial.id, now, "switched_on")
    except REFUSALS as refusal:
        return await _page(request, said(request, refusal), 409)
    await known_of(request)
    raise web.HTTPSeeOther(f"/rules/{trial.file}")


# --- the chart ----------------------------------------------------------------------------------------


@require("administrator")
async def series(request: web.Request) -> web.StreamResponse:
    """Return what the chart of one change draws: its device's signal, and the alarms of both sides."""
    language, known = language_of(request), await known_of(request)
    async with house_of(request).pool.connection() as conn:
        trial = await _trial(conn, request)
        found = _found(trial)
        change = _chart(request, found) if found is not None else None
        if found is None or change is None:
            raise Refusal(404)
        communities = account_of(request).communities
        now = now_of(request)
        device = await device_store.device(conn, change.community, change.device, communities, now)
        if device is None:
            raise Refusal(404)
        changed = await asyncio.to_thread(_changed, known, trial)
        name = _signal(changed, known.book, change.rule, device.asset_class)
        if not name:
            raise Refusal(404)
        start, end = found.start, found.end
        points = await telemetry.series(conn, device.community_id, device.device_id, name, start, end, POINTS)
    signal = signals_of(device.asset_class)[name]
    rules = [rule for rule in changed.for_class(device.asset_class).rules if rule.code == change.rule]
    attributes = changed.attributes(device.asset_class or "")
    thresholds = lines_of(rules, name, device.attributes, attributes)
    return web.json_response(
        {
            **drawn(signal, points, (start, end), thresholds, language),
            "alarms": _marks(found, change),
        }
    )


def _changed(known: InForce, trial: Trial) -> RuleBook:
    try:
        return with_words(known, trial.file, trial.text)
    except RuleFileError as error:
        raise Refusal(404) from error


def _signal(changed: RuleBook, today: RuleBook, code: str, asset_class: str | None) -> str:
    """Return the signal a rule is about: a number where it reads one."""
    signals = signals_of(asset_class)
    books = [{rule.code: rule for rule in book.rules} for book in (changed, today)]
    names = [name for book in books if code in book for name in book[code].signals if name in signals]
    numbers = [name for name in names if signals[name].type == "number"]
    return next(iter([*numbers, *names, *signals]), "")


def _marks(found: Foresight, shown: Change) -> list[dict[str, object]]:
    """Return the alarms of both sides that differ, for the device and rule shown."""
    marks: list[dict[str, object]] = []
    for change in found.changes:
        if (change.device, change.community, change.rule) != (shown.device, shown.community, shown.rule):
            continue
        for side, alarm in (("old", change.old), ("new", change.new)):
            if alarm is not None:
                marks.append(_mark(side, alarm))
    return marks[:MOST_MARKS]


def _mark(side: str, alarm: AlarmTime) -> dict[str, object]:
    return {
        "t": alarm.raised.timestamp(),
        "until": alarm.cleared.timestamp() if alarm.cleared else None,
        "title": "",
        "severity": alarm.severity,
        "side": side,
    }
