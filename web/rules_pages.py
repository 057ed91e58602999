"""The rules as an administrator reads them: by file, with each version, by whom and why, and the way back."""

import asyncio
import difflib
from collections.abc import Callable
from datetime import datetime
from typing import Final

from aiohttp import web

from config.vocabulary import load_vocabulary
from dispatch.policy import shipped_policy
from dispatch.switching import rules_gone
from rules.document import RuleFileError
from rules.sources import class_of
from rules.versions import store, trial_store
from rules.versions.force import InForce
from rules.versions.store import Version
from rules.versions.switching import (
    Busy,
    By,
    ChangedMeanwhile,
    NoReason,
    NoSuchVersion,
    OtherFile,
    Unchanged,
    go_back,
)
from rules.wording.rules import usual_lateness
from web.access import require
from web.errors import Refusal
from web.house import house_of, now_of
from web.i18n import language_of
from web.render import page, translator
from web.rules_shown import differences, shown_file
from web.session import account_of, zone_of
from web.taps import word_of
from web.times import exact

TRIALS_SHOWN: Final = 5
CONTEXT: Final = 3


def routes() -> list[web.RouteDef]:
    """Return the routes of the pages that show rules."""
    return [
        web.get("/rules", rule_files),
        web.get("/rules/{file}", rule_file),
        web.get("/rules/{file}/versions/{version}", version),
        web.post("/rules/{file}/back", back),
    ]


def naming(request: web.Request) -> dict[str, Callable[[str], str]]:
    """Return how templates name classes, kinds of work and skills."""
    language, policy = language_of(request), shipped_policy()
    classes = load_vocabulary().asset_classes

    def class_name(key: str) -> str:
        return classes[key][language] if key in classes else key

    return {
        "class_name": class_name,
        "kind_name": lambda key: policy.kind_name(key)[language],
        "skill_name": lambda key: policy.skill_name(key)[language],
    }


async def known_of(request: web.Request) -> InForce:
    """Return what is in force now."""
    house = house_of(request)
    async with house.pool.connection() as conn:
        return await house.rules.refresh(conn)


@require("administrator")
async def rule_files(request: web.Request) -> web.StreamResponse:
    """List the rules by file."""
    known = await known_of(request)
    files = await asyncio.to_thread(lambda: [shown_file(known, source.name) for source in known.sources])
    shown = {"files": files, "late": usual_lateness(), "troubles": known.troubles}
    return page(request, "rules/list.html", {**naming(request), **shown})


@require("administrator")
async def rule_file(request: web.Request) -> web.StreamResponse:
    """Show one file: its rules, its versions, its latest trials."""
    return await file_page(request, request.match_info["file"])


async def file_page(request: web.Request, file: str, fault: str = "", status: int = 200) -> web.Response:
    """Show one file, with what was wrong with what was just asked."""
    house = house_of(request)
    known = await known_of(request)
    shown = await asyncio.to_thread(shown_file, known, file)
    async with house.pool.connection() as conn:
        history = await store.history(conn, file)
        trials = await trial_store.recent(conn, file, TRIALS_SHOWN)
    outdated, shipped = known.outdated(file), known.file(file)
    return page(
        request,
        "rules/file.html",
        {
            **naming(request),
            "shown": shown,
            "late": usual_lateness(),
            "history": history,
            "trials": trials,
            "base": known.version(file),
            "has_file": shipped is not None,
            "news": diff(outdated.shipped or "", shipped.text if shipped else "") if outdated else [],
            "troubles": [each for each in known.troubles if each.file.startswith(f"{file} ")],
            "fault": fault,
        },
        status=status,
    )


@require("administrator")
async def version(request: web.Request) -> web.StreamResponse:
    """Show what a version changed, and by whom and why."""
    file, asked = request.match_info["file"], request.match_info["version"]
    known = await known_of(request)
    async with house_of(request).pool.connection() as conn:
        history = {each.version: each for each in await store.history(conn, file)}
    found = history.get(int(asked)) if asked.isascii() and asked.isdecimal() and len(asked) < 9 else None  # noqa: PLR2004 - more is no number of a version
    if found is None:
        raise Refusal(404)
    earlier, later = words_of(history.get(found.version - 1), found), words_of(found, found)
    return page(
        request,
        "rules/version.html",
        {
            **naming(request),
            "file": file,
            "asset_class": class_of(source) if (source := known.source(file)) else None,
            "version": found,
            "newest": known.version(file),
            "differences": await asyncio.to_thread(differences, known, file, earlier, later),
            "lines": diff(earlier, later),
        },
    )


def words_of(version: Version | None, beside: Version) -> str:
    """Return what a version says; before the first one, and where it went back to it, the file of then."""
    if version is None or version.text is None:
        return (version or beside).shipped or ""
    return version.text


def diff(before: str, after: str) -> list[tuple[str, str]]:
    """Return the lines that differ, with some around them, as (sign, line); @ parts what is far apart."""
    found = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=CONTEXT)
    return [(line[:1], line[1:]) for line in found if not line.startswith(("---", "+++"))]


@require("administrator")
async def back(request: web.Request) -> web.StreamResponse:
    """Put an earlier version in force again."""
    house, account = house_of(request), account_of(request)
    file, form = request.match_info["file"], await request.post()
    to, base = number(form.get("to")), number(form.get("base"))
    known = await known_of(request)
    if known.source(file) is None:
        raise Refusal(404)
    by = By(account.name, word_of(form, "reason"), account.id)
    try:
        async with house.pool.connection() as conn, conn.transaction():
            done = await go_back(conn, known.files, file, to, base, by, now_of(request))
            await rules_gone(conn, [alarm_id for alarm_id, _ in done.ended], now_of(request))
    except REFUSALS as refusal:
        return await file_page(request, file, said(request, refusal), 409)
    await known_of(request)
    raise web.HTTPSeeOther(f"/rules/{file}")


REFUSALS: Final = (Busy, ChangedMeanwhile, OtherFile, NoReason, NoSuchVersion, Unchanged, RuleFileError)


def said(request: web.Request, refusal: Exception) -> str:
    """Say why rules were not switched, in the reader's language."""
    say = translator(request)
    match refusal:
        case ChangedMeanwhile() | OtherFile():
            now, retry = other_file(request), say.gettext("Nothing was changed: look, then retry.")
            if isinstance(refusal, ChangedMeanwhile):
                now = switched_by(request, refusal.newest, refusal.who, refusal.at)
            return f"{now} {retry}"
        case Unchanged():
            return say.gettext("These rules are in force already; nothing was changed.")
        case NoReason():
            return say.gettext("Say why, in at most 500 characters that can be shown; nothing was changed.")
        case NoSuchVersion():
            return say.gettext("There is no such version; nothing was changed.")
        case RuleFileError(problems=problems):
            first = "; ".join(f"{each.line}:{each.column} {each.message}" for each in problems[:3])
            return say.gettext("These rules do not go with the others: %(problems)s") % {"problems": first}
    return say.gettext(
        "Messages are being written that take long; nothing was changed. Try again in a moment."
    )


def switched_by(request: web.Request, newest: int, who: str, at: datetime | None) -> str:
    """Say who switched rules on while somebody else looked at them, and when."""
    say = translator(request)
    if at is None:
        words = {"who": who, "version": newest}
        return say.gettext("%(who)s switched on version %(version)s meanwhile.") % words
    words = {"who": who, "version": newest, "time": exact(at, zone_of(request), language_of(request))}
    return say.gettext("%(who)s switched on version %(version)s meanwhile (%(time)s).") % words


def other_file(request: web.Request) -> str:
    """Say that the file on disk is another than words were made from."""
    return translator(request).gettext(
        "A newer release ships another file since: what it changed is not in these words."
    )


def overtaken(request: web.Request, known: InForce, file: str, base: int, made_from: str | None) -> str:
    """Say who switched a file's rules on since `base`, and when, or that the file on disk is another now.

    Nothing where `base` is the newest and `made_from` the file's digest.
    """
    newest = known.newest.get(file)
    if newest is None or newest.version == base:
        return "" if (made_from or "") == known.digest(file) else other_file(request)
    return switched_by(request, newest.version, newest.made_by, newest.made_at)


def number(value: object) -> int:
    """Return a number from a form; what is none was not sent by a page of ours."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 9:  # noqa: PLR2004 - as above
        return int(value)
    raise Refusal(400)
