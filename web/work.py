"""The technician's pages: my jobs, one job a screen, its next move as one big button."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import web
from psycopg import AsyncConnection

from config.text import Text
from dispatch import moves
from dispatch.checklist import range_text
from dispatch.people import By
from dispatch.policy import shipped_policy
from dispatch.refusals import BadField, DispatchRefusal
from dispatch.status import NEXT_MOVES
from dispatch.store import Job, JobCard, job_card, jobs_of, photo
from dispatch.store.staff import technicians
from web import photos, work_store
from web.access import require
from web.deadlines import Deadline, pressing
from web.errors import Refusal
from web.finish import FinishForm
from web.gone import gone_words
from web.house import house_of, now_of
from web.i18n import language_of
from web.render import page, translator
from web.session import account_of, zone_of
from web.shifts import duty, duty_words
from web.taps import fresh, go, tap_of, word_of
from web.work_store import Standing

_MOVE_ICONS: Final = {
    "accept": "check",
    "set_off": "navigation",
    "arrive": "map-pin",
    "complete": "clipboard-check",
    "resume": "play",
}


def routes() -> list[web.RouteDef]:
    """Return the routes of the technician's list and moves; finishing is in `web.work_finish`."""
    return [
        web.get("/work", jobs),
        web.get("/work/jobs", jobs_part),
        web.get("/work/{number}", job),
        web.get("/work/{number}/head", head),
        web.get("/work/{number}/photos/{sha256}", job_photo),
        *(web.post(f"/work/{{number}}/{name}", move) for name in _MOVES),
    ]


# --- the list -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """A job in the list with the deadline that presses."""

    job: Job
    due: Deadline | None
    paused: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs under one heading."""

    title: str
    jobs: tuple[Entry, ...]


@require("technician")
async def jobs(request: web.Request) -> web.StreamResponse:
    """Show what I am offered and what I hold."""
    return page(request, "work/list.html", await _list(request))


@require("technician")
async def jobs_part(request: web.Request) -> web.StreamResponse:
    """Return the list alone, for the live page."""
    return page(request, "work/_jobs.html", await _list(request))


async def _list(request: web.Request) -> dict[str, object]:
    now, staff_id, zone = now_of(request), staff_of(request), zone_of(request)
    finished = word_of(request.query, "finished")
    async with house_of(request).pool.connection() as conn:
        mine = await jobs_of(conn, staff_id, now)
        me = await technicians(conn, on_hold_counts=False, staff_ids=[staff_id])
        done = await work_store.standing(conn, finished, staff_id) if finished else None
    state = duty(me[0].shifts if me else (), now, zone)
    say = translator(request)
    entries = [_entry(each) for each in mine]
    offered = tuple(each for each in entries if each.job.offered_until)
    held = tuple(each for each in entries if not each.job.offered_until and each.job.status != "on_hold")
    waiting = tuple(each for each in entries if not each.job.offered_until and each.job.status == "on_hold")
    return {
        "groups": [
            Group(say.gettext("Offered to you"), offered),
            Group(say.gettext("Yours"), held),
            Group(say.gettext("On hold"), waiting),
        ],
        "shift": duty_words(state, now, zone)[language_of(request)],
        "on_shift": state.until is not None,
        "done": done if done is not None and done.record_id is not None else None,
    }


def _entry(job: Job) -> Entry:
    due = pressing(job.countdown, job.countdown_to)
    return Entry(job, due, paused=job.status == "on_hold" and due is None)


# --- one job ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NextMove:
    """The one big button."""

    name: str
    address: str
    words: str
    icon: str


@require("technician")
async def job(request: web.Request) -> web.StreamResponse:
    """Show one job; one that is no longer mine says what became of it."""
    stand, card = await read_job(request)
    if card is None:
        return gone(request, stand)
    return job_page(request, card, FinishForm(result="maintained" if stand.planned else "fixed"))


def job_page(request: web.Request, card: JobCard, form: FinishForm, *, status: int = 200) -> web.Response:
    """Render one job, with the finishing form as it was sent."""
    language, policy = language_of(request), shipped_policy()
    spans = {item.code: range_text(item) for item in card.checklist}
    return page(
        request,
        "work/job.html",
        _head(card)
        | {
            "kind": policy.kind_name(card.kind)[language],
            "steps": [step.strip() for step in card.todo[language].splitlines() if step.strip()],
            "move": _next_move(request, card),
            "form": form,
            "ranges": {code: span[language] if span else "" for code, span in spans.items()},
            "results": policy.results,
            "hold_reasons": policy.hold_reasons,
            "decline_reasons": policy.decline_reasons,
            "desk_phone": house_of(request).desk_phone,
            "request_id": fresh,
        },
        status=status,
    )


def _head(card: JobCard) -> dict[str, object]:
    return {
        "card": card,
        "seen": _seen(card),
        "due": pressing(card.job.countdown, card.job.countdown_to),
    }


def _seen(card: JobCard) -> str:
    """Name what the page shows, to notice that it has become another."""
    joined = f"-{len(card.alarms)}" if len(card.alarms) > 1 else ""
    return f"{card.job.status}-{'mine' if card.mine else 'offered'}{joined}"


def _next_move(request: web.Request, card: JobCard) -> NextMove | None:
    status = card.job.status if card.mine else "assigned"
    if status not in NEXT_MOVES:
        return None
    name, words = NEXT_MOVES[status]
    return NextMove(name, name.replace("_", "-"), words[language_of(request)], _MOVE_ICONS[name])


@require("technician")
async def head(request: web.Request) -> web.StreamResponse:
    """Return the header with its countdown, or word that the job became another while it was open."""
    stand, card = await read_job(request)
    say = translator(request)
    if card is not None and request.query.get("seen") == _seen(card):
        return page(request, "work/_head.html", _head(card))
    words = say.gettext("This job has changed since you opened it.")
    address, action = f"/work/{stand.number}", say.gettext("Show it as it is now")
    if card is None:
        words, address, action = gone_words(stand)[language_of(request)], "/work", say.gettext("My jobs")
    return page(request, "work/_changed.html", {"words": words, "address": address, "action": action})


@require("technician")
async def job_photo(request: web.Request) -> web.StreamResponse:
    """Return a photo of a job that is or was mine."""
    sha256 = request.match_info["sha256"]
    async with house_of(request).pool.connection() as conn:
        stand = await work_store.standing(conn, request.match_info["number"], staff_of(request))
        if stand is None or not await work_store.has_photo(conn, stand.order_id, sha256):
            raise Refusal(404)
        found = await photo(conn, sha256)
    if found is None:
        raise Refusal(404)
    return photos.send(found)


# --- moves --------------------------------------------------------------------------------------------

Move = Callable[[AsyncConnection, int, By, datetime, Mapping[str, object]], Awaitable[moves.Moved]]

_MOVES: Final[Mapping[str, Move]] = {
    "accept": lambda conn, order, by, now, _: moves.accept(conn, order, by, now),
    "decline": lambda conn, order, by, now, form: moves.decline(
        conn, order, by, now, word_of(form, "reason")
    ),
    "set-off": lambda conn, order, by, now, _: moves.set_off(conn, order, by, now),
    "arrive": lambda conn, order, by, now, _: moves.arrive(conn, order, by, now),
    "hold": lambda conn, order, by, now, form: moves.hold(
        conn, order, by, now, word_of(form, "reason"), word_of(form, "remark")
    ),
    "resume": lambda conn, order, by, now, _: moves.resume(conn, order, by, now),
    "progress": lambda conn, order, by, now, form: moves.progress(
        conn, order, by, now, word_of(form, "words")
    ),
    "hand-back": lambda conn, order, by, now, form: moves.hand_back(
        conn, order, by, now, word_of(form, "reason")
    ),
}
_LEAVES: Final = frozenset({"decline", "hand-back"})


@require("technician")
async def move(request: web.Request) -> web.StreamResponse:
    """Make one move; a page that was out of date is told what happened instead."""
    form, name = await request.post(), request.path.rpartition("/")[2]
    staff_id, now = staff_of(request), now_of(request)
    by = tap_of(request, form, staff_id=staff_id)
    async with house_of(request).pool.connection() as conn:
        stand = await standing_or_404(conn, request, staff_id)
        try:
            async with conn.transaction():
                await _MOVES[name](conn, stand.order_id, by, now, form)
        except BadField as refusal:
            return await refused(conn, request, stand, refusal.text, status=422)
        except DispatchRefusal as refusal:
            return await refused(conn, request, stand, refusal.text)
    return go("/work" if name in _LEAVES else f"/work/{stand.number}")


# --- shared with finishing ------------------------------------------------------------------------------


def staff_of(request: web.Request) -> int:
    """Return the technician who asks."""
    staff_id = account_of(request).staff_id
    if staff_id is None:
        raise Refusal(403)
    return staff_id


async def standing_or_404(conn: AsyncConnection, request: web.Request, staff_id: int) -> Standing:
    """Return how the technician stands to the order in the address."""
    stand = await work_store.standing(conn, request.match_info["number"], staff_id)
    if stand is None:
        raise Refusal(404)
    return stand


async def read_job(request: web.Request) -> tuple[Standing, JobCard | None]:
    """Return the job in the address; no card where it is no longer this technician's."""
    staff_id = staff_of(request)
    async with house_of(request).pool.connection() as conn:
        stand = await standing_or_404(conn, request, staff_id)
        return stand, await job_card(conn, staff_id, stand.order_id, now_of(request))


def gone(request: web.Request, stand: Standing) -> web.Response:
    """Say what became of a job that is no longer this technician's."""
    say = translator(request)
    return page(
        request,
        "work/refused.html",
        {
            "heading": say.gettext("This job is no longer yours"),
            "words": gone_words(stand)[language_of(request)],
            "record_id": stand.record_id,
            "address": "/work",
            "action": say.gettext("My jobs"),
        },
        status=410,
    )


async def refused(
    conn: AsyncConnection, request: web.Request, stand: Standing, why: Text, *, status: int = 409
) -> web.Response:
    """Say why a move did not happen, and where the job stands now."""
    staff_id = staff_of(request)
    stand = await standing_or_404(conn, request, staff_id)
    card = await job_card(conn, staff_id, stand.order_id, now_of(request))
    if card is None:
        return gone(request, stand)
    say = translator(request)
    return page(
        request,
        "work/refused.html",
        {
            "heading": say.gettext("This did not happen"),
            "words": why[language_of(request)],
            "record_id": None,
            "address": f"/work/{stand.number}",
            "action": say.gettext("Show the job as it is now"),
        },
        status=status,
    )
