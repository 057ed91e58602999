"""Editing rules: one rule or a whole file, checked as it is typed, then tried; that puts nothing in force."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from aiohttp import web

from rules.document import RuleFileError
from rules.editing import (
    TEXTS,
    Fields,
    Made,
    Opened,
    Place,
    codes_of,
    logic_not_yaml,
    open_rule,
    put_back,
    whole,
)
from rules.sources import class_of
from rules.versions import trial_store
from rules.versions.force import InForce
from rules.versions.switching import LONGEST_TEXT, check
from storage.notify import notify
from web.access import require
from web.errors import Refusal
from web.house import house_of, now_of
from web.i18n import language_of
from web.render import page
from web.rule_described import Described, described
from web.rules_pages import known_of, naming, number, overtaken
from web.session import account_of

BODY: Final = 2 * LONGEST_TEXT
TRIED: Final = timedelta(days=30)


def routes() -> list[web.RouteDef]:
    """Return the routes of editing."""
    return [
        web.get("/rules/{file}/edit", edit),
        web.post("/rules/{file}/check", check_form),
        web.post("/rules/{file}/try", try_form),
    ]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a form holds: of one rule (`code`), or of a whole file."""

    file: str
    code: str
    asset_class: str
    base: int
    made_from: str  # the digest of the file on disk that it was begun with
    made: Made
    fields: Fields
    overtaken: str = ""  # who switched on another version since, and when
    ends: int = 0  # the trial going on that this one is to end


@require("administrator")
async def edit(request: web.Request) -> web.StreamResponse:
    """Show the form: of one rule, or of the whole file."""
    known, file = await known_of(request), request.match_info["file"]
    source = known.source(file)
    if source is None:
        raise Refusal(404)
    code = request.query.get("rule", "")
    # In threads, as all that reads a file: a long one takes seconds.
    opened = await asyncio.to_thread(open_rule, source, code) if code else None
    if code and code not in await asyncio.to_thread(codes_of, source):
        raise Refusal(404)
    if opened is None:
        made, fields, code = whole(source.text), Fields(source.text, {}), ""
    else:
        made, fields = put_back(opened, opened.fields), opened.fields
    spoken = described(known.book, code) if code else None
    digest = known.digest(file)
    draft = Draft(file, code, class_of(source) or "", known.version(file), digest, made, fields)
    return await _form(request, draft, ([], spoken))


# What is wrong with a draft, each at its place, and what it says where nothing is.
Judged = tuple[list[Place], Described | None]


async def _form(
    request: web.Request, draft: Draft, judged: Judged, status: int = 200, *, asks: bool = False
) -> web.Response:
    """Show the form; `asks` where nothing was started because another trial goes on."""
    places, spoken = judged
    async with house_of(request).pool.connection() as conn:
        going_on = await trial_store.going_on(conn, account_of(request).id)
    title = draft.fields.texts["title"][language_of(request)] if draft.code else ""
    shown = {
        **naming(request),
        "asset_class": draft.asset_class,
        "title": title.strip() or draft.code,
        "draft": draft,
        "texts": TEXTS if draft.code else (),
        "problems": places,
        "spoken": spoken,
        "days": TRIED.days,
        "going_on": going_on,
        "asks": asks and going_on is not None,
    }
    return page(request, "rules/edit.html", shown, status=status)


async def _draft(request: web.Request, known: InForce) -> Draft:
    """Read the form into the file that it makes; the rule is put back into the words that are in force."""
    form, file = await request.post(), request.match_info["file"]
    source = known.source(file)
    if source is None:
        raise Refusal(404)
    code, base = str(form.get("rule", "")), number(form.get("base"))
    fields = Fields(str(form.get("logic", "")), _texts(form) if code else {})
    opened: Opened | None = await asyncio.to_thread(open_rule, source, code) if code else None
    if code and opened is None:
        raise Refusal(409)
    made = whole(fields.logic) if opened is None else put_back(opened, fields)
    made_from, ends = str(form.get("made_from", "")), number(form.get("ends", "0"))
    late = overtaken(request, known, file, base, made_from)
    return Draft(file, code, class_of(source) or "", base, made_from, made, fields, late, ends)


def _texts(form: Mapping[str, object]) -> dict[str, dict[str, str]]:
    return {
        name: {language: str(form.get(f"{name}.{language}", "")) for language in ("zh", "en")}
        for name in TEXTS
    }


def _judged(known: InForce, draft: Draft) -> Judged:
    """Return what is wrong with a draft, or the rule that it makes in words."""
    alone = logic_not_yaml(draft.fields) if draft.code else None
    if alone is not None:
        return [alone], None
    try:
        book = check(known, draft.file, draft.made.text)
    except RuleFileError as error:
        return [draft.made.place(problem) for problem in error.problems], None
    return [], described(book, draft.code) if draft.code else None


@require("administrator", body=BODY)
async def check_form(request: web.Request) -> web.StreamResponse:
    """Say what is wrong with what has been typed, each at its field, line and column; else what it says."""
    known = await known_of(request)
    draft = await _draft(request, known)
    places, spoken = await asyncio.to_thread(_judged, known, draft)
    problems = [
        {"area": each.area, "line": each.line, "column": each.column, "message": each.message}
        for each in places
    ]
    words = page(request, "rules/_said.html", {"spoken": spoken}).text if draft.code else ""
    answer = {"problems": problems, "overtaken": draft.overtaken, "words": words}
    return web.json_response(answer)


@require("administrator", body=BODY)
async def try_form(request: web.Request) -> web.StreamResponse:
    """Start a trial of what was typed, or show what is wrong with it."""
    house, known = house_of(request), await known_of(request)
    draft = await _draft(request, known)
    judged = await asyncio.to_thread(_judged, known, draft)
    if judged[0] or draft.overtaken:
        return await _form(request, draft, judged, 409 if draft.overtaken else 422)
    now, asker = now_of(request), account_of(request).id
    times = (now - TRIED, now)
    try:
        async with house.pool.connection() as conn:
            trial = await trial_store.ask(
                conn, draft.file, draft.base, draft.made_from, draft.made.text, times, asker, draft.ends
            )
            await notify(conn, "rules", [trial])
    except trial_store.TrialGoingOn:
        return await _form(request, draft, judged, 409, asks=True)
    raise web.HTTPSeeOther(f"/rules/trials/{trial}")
