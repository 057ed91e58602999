"""Answers made from templates."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from babel.support import Translations

from web.access import Role
from web.house import house_of, now_of
from web.i18n import HTML_LANGUAGES, language_of
from web.session import csrf_of, session_of, text_size, zone_of


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the navigation; `label` is a msgid."""

    href: str
    label: str
    icon: str


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for "a message translated later"
    """Mark a message for translation where it is written, to be translated where it is shown."""
    return message


_DESK: Final = Place("/desk", N_("Desk"), "layout-dashboard")
_ALARMS: Final = Place("/alarms", N_("Alarms"), "bell-ring")
_REQUESTS: Final = Place("/desk/requests", N_("Requests"), "message-square")
_OPERATIONS: Final = Place("/operations", N_("Operations"), "activity")
_FINANCE: Final = Place("/finance", N_("Finance"), "scale")
_RULES: Final = Place("/rules", N_("Rules"), "clipboard-list")
PLACES: Final[Mapping[Role, tuple[Place, ...]]] = {
    "administrator": (_DESK, _ALARMS, _REQUESTS, _FINANCE, _OPERATIONS, _RULES),
    "manager": (_DESK, _ALARMS, _REQUESTS, _FINANCE, _OPERATIONS),
    "dispatcher": (_DESK, _ALARMS, _REQUESTS),
    "technician": (Place("/work", N_("My jobs"), "hard-hat"),),
    "finance": (_FINANCE,),
    "resident": (
        Place("/bills", N_("Bills"), "receipt-text"),
        Place("/requests", N_("Requests"), "message-square"),
    ),
}


def translator(request: web.Request) -> Translations:
    """Return the catalogue of this request's language: `translator(request).gettext("…")`."""
    return house_of(request).catalogues[language_of(request)]


def page(
    request: web.Request, template: str, context: Mapping[str, object] | None = None, *, status: int = 200
) -> web.Response:
    """Render a template (a whole page or a part for htmx) in the reader's language."""
    session = session_of(request)
    account = session.account if session else None
    language, now, zone = language_of(request), now_of(request), zone_of(request)
    places = PLACES[account.role] if account else ()
    known: dict[str, object] = {
        "account": account,
        "places": places,
        "place_here": max((p.href for p in places if request.path.startswith(p.href)), key=len, default=""),
        "csrf": csrf_of(request),
        "html_language": HTML_LANGUAGES[language],
        "now": now,
        "today": now.astimezone(zone).date(),
        "zone": zone,
        "path": request.path,
        "here": request.path_qs if request.method == "GET" else "/",
        "text_size": text_size(request),
    }
    text = house_of(request).templates.render(language, template, known | dict(context or {}))
    return web.Response(text=text, status=status, content_type="text/html")
