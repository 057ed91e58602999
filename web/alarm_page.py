"""One alarm: its story, why nobody was told, who is on it; acknowledging and muting it, and undoing that."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from typing import Final

from aiohttp import web
from psycopg import AsyncConnection

from config.text import Language
from dispatch import acknowledging, quieting
from dispatch.people import Who
from dispatch.policy import shipped_policy
from dispatch.quieting import NewMute
from dispatch.refusals import BadField, DispatchRefusal
from dispatch.store.alarm_lists import AlarmEvent, AlarmLine, alarm_events, alarm_line
from web.access import OFFICE, require
from web.deadlines import duration
from web.errors import Refusal
from web.house import house_of, now_of
from web.i18n import language_of
from web.readings import facts_in_words
from web.render import page, translator
from web.session import account_of
from web.taps import fresh, go, tap_of, word_of

ALARM: Final = "{alarm:[0-9]{1,18}}"
ACK_MINUTES: Final = (15, 30, 60, 240, 1440)
MUTE_HOURS: Final = (1, 4, 24, 24 * 7, 24 * 30)
SCOPES: Final = ("rule_asset", "asset", "rule", "area", "community")

Act = Callable[[AsyncConnection, AlarmLine, Mapping[str, object]], Awaitable[None]]

# Where a form shows what dispatch would not take: its own fields, and the choice that says how long.
_BESIDE: Final[Mapping[str, str]] = {
    "lasting": "seconds",
    "until": "seconds",
    **{name: name for name in ("words", "why", "reason", "asset", "rule", "kind")},
}
_ICONS: Final = {
    "raised": ("bell-ring", "major"),
    "paged": ("megaphone", "accent"),
    "held": ("circle-pause", "waiting"),
    "muted": ("bell-off", "waiting"),
    "severity": ("arrow-up-down", "major"),
    "ordered": ("clipboard-list", "accent"),
    "acknowledged": ("user-check", "good"),
    "ack_withdrawn": ("undo-2", ""),
    "ack_expired": ("timer-off", "critical"),
    "followed_up": ("check", "good"),
    "corrected": ("undo-2", "waiting"),
    "reminded": ("megaphone", "critical"),
    "cleared": ("circle-check", "good"),
    "ended": ("unplug", "waiting"),
}


def routes() -> list[web.RouteDef]:
    """Return the routes of one alarm."""
    return [
        web.get(f"/alarms/{ALARM}", alarm),
        web.get(f"/alarms/{ALARM}/live", alarm_part),
        web.post(f"/alarms/{ALARM}/acknowledge", acknowledge),
        web.post(f"/alarms/{ALARM}/withdraw", withdraw),
        web.post(f"/alarms/{ALARM}/mute", mute),
    ]


@require(*OFFICE)
async def alarm(request: web.Request) -> web.StreamResponse:
    """Show one alarm with its story."""
    async with house_of(request).pool.connection() as conn:
        context = await _context(conn, request)
    return page(request, "alarms/alarm.html", context)


@require(*OFFICE)
async def alarm_part(request: web.Request) -> web.StreamResponse:
    """Return what changes by itself, for the live page."""
    async with house_of(request).pool.connection() as conn:
        context = await _context(conn, request)
    return page(request, "alarms/_alarm.html", context)


async def _or_404(conn: AsyncConnection, request: web.Request) -> AlarmLine:
    found = await alarm_line(conn, int(request.match_info["alarm"]), account_of(request).communities)
    if found is None:
        raise Refusal(404)
    return found


async def _context(
    conn: AsyncConnection, request: web.Request, typed: Mapping[str, object] | None = None
) -> dict[str, object]:
    found, language = await _or_404(conn, request), language_of(request)
    events = await alarm_events(conn, found.alarm_id)
    policy = shipped_policy().alarms
    now = now_of(request)
    return {
        "alarm": found,
        "lasted": duration(found.lasted(now), language),
        "facts": facts_in_words(found.facts, found.asset_class, language),
        "story": [_moment(each, language) for each in events],
        "ack_choices": choices((m * 60 for m in ACK_MINUTES), policy.acknowledge.longest, language),
        "ack_usual": int(policy.acknowledge.usual.total_seconds()),
        "mute_choices": choices((h * 3600 for h in MUTE_HOURS), policy.mute.longest, language),
        "mute_usual": int(policy.mute.usual.total_seconds()),
        "scopes": SCOPES if found.asset_id is not None else ("rule", "community"),
        "request_id": fresh,
        "fault": "",
        "faults": {},
        "typed": typed or {},
    }


def choices(seconds: Iterable[int], longest: timedelta, language: Language) -> list[tuple[int, str]]:
    """Return the lengths a form offers, in seconds and in words, none longer than the house allows."""
    return [
        (each, duration(timedelta(seconds=each), language))
        for each in seconds
        if each <= longest.total_seconds()
    ]


def _moment(event: AlarmEvent, language: Language) -> dict[str, object]:
    # One that is over for a reason of its own did not recover.
    kind = "ended" if event.kind == "cleared" and event.why[language] else event.kind
    icon, tone = _ICONS.get(kind, ("circle", ""))
    return {
        "kind": kind,
        "at": event.at,
        "recorded_at": event.recorded_at,
        "late": event.recorded_at - event.at > timedelta(minutes=1),
        "severity": event.severity,
        "name": event.name,
        "order": event.order_number,
        "why": event.why[language],
        "icon": icon,
        "tone": tone,
    }


@require(*OFFICE)
async def acknowledge(request: web.Request) -> web.StreamResponse:
    """Say “I am on it” for a while."""

    async def act(conn: AsyncConnection, found: AlarmLine, form: Mapping[str, object]) -> None:
        lasting = timedelta(seconds=seconds_of(form))
        await acknowledging.acknowledge(
            conn, found.alarm_id, who(request), now_of(request), lasting, word_of(form, "words")
        )

    return await _act(request, act)


@require(*OFFICE)
async def withdraw(request: web.Request) -> web.StreamResponse:
    """Take an acknowledgement back."""

    async def act(conn: AsyncConnection, found: AlarmLine, form: Mapping[str, object]) -> None:
        del form
        await acknowledging.withdraw(conn, found.alarm_id, who(request), now_of(request))

    return await _act(request, act)


@require(*OFFICE)
async def mute(request: web.Request) -> web.StreamResponse:
    """Mute the alarm, or more than it, for a while."""

    async def act(conn: AsyncConnection, found: AlarmLine, form: Mapping[str, object]) -> None:
        scope = word_of(form, "scope")
        if scope not in SCOPES:
            raise Refusal(400)
        now = now_of(request)
        new = NewMute(
            community_id=found.community_id,
            why=word_of(form, "why"),
            until=now + timedelta(seconds=seconds_of(form)),
            rule=found.rule if scope in {"rule_asset", "rule"} else None,
            asset_id=found.asset_id if scope in {"rule_asset", "asset"} else None,
            area_id=found.area_id if scope == "area" else None,
            request_id=tap_of(request, form).request_id,
        )
        await quieting.mute(conn, new, who(request), now, {found.rule})

    return await _act(request, act)


async def _act(request: web.Request, act: Act) -> web.StreamResponse:
    """Do it and show the alarm again; what is refused is said beside what was typed, or above the form."""
    form = await request.post()
    tap_of(request, form)
    async with house_of(request).pool.connection() as conn:
        found = await _or_404(conn, request)
        try:
            async with conn.transaction():
                await act(conn, found, form)
        except DispatchRefusal as refusal:
            shown = await _context(conn, request, dict(form)) | said_of(request, refusal)
            return page(request, "alarms/alarm.html", shown, status=status_of(refusal))
    return go("/alarms" if word_of(form, "back") == "list" else f"/alarms/{found.alarm_id}")


def said_of(request: web.Request, refusal: DispatchRefusal) -> dict[str, object]:
    """Return what a page says of a refusal: beside the field it is about, or above all forms."""
    if isinstance(refusal, BadField) and refusal.field in _BESIDE:
        marked = translator(request).gettext("Not saved yet: please mend what is marked below.")
        return {"fault": marked, "faults": {_BESIDE[refusal.field]: refusal.right}}
    return {"fault": refusal.text[language_of(request)], "faults": {}}


def status_of(refusal: DispatchRefusal) -> int:
    """Return whether the form was wrong, or the time for it."""
    return 422 if isinstance(refusal, BadField) else 409


def seconds_of(form: Mapping[str, object]) -> int:
    """Return a length chosen in a form; what is none of ours is not taken."""
    typed = word_of(form, "seconds")
    if not typed.isascii() or not typed.isdigit() or len(typed) > len("9999999"):
        raise Refusal(400)
    return int(typed)


def who(request: web.Request) -> Who:
    """Return who is asking, as alarms remember people."""
    account = account_of(request)
    return Who(account.name, account.id)
