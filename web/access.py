"""Who may call a handler. Every handler says so; one that does not is refused at start.

`@public` is for everybody, `@require("technician")` for those roles, `@require()` for anybody signed in.
`body=` raises the limit of the request's body for one handler, say for photos.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

from aiohttp import web

Role = Literal["administrator", "manager", "dispatcher", "technician", "finance", "resident"]
ROLES: Final[tuple[Role, ...]] = (
    "administrator",
    "manager",
    "dispatcher",
    "technician",
    "finance",
    "resident",
)
OFFICE: Final[tuple[Role, ...]] = ("administrator", "manager", "dispatcher")
KEEPERS: Final[tuple[Role, ...]] = ("administrator", "manager")
"""Who may register devices and give them credentials."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

FORM_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Access:
    """Roles that may call a handler (None: everybody, signed in or not) and the largest body it reads."""

    roles: frozenset[Role] | None
    body: int = FORM_BYTES


_access: dict[Handler, Access] = {}


def require(*roles: Role, body: int = FORM_BYTES) -> Callable[[Handler], Handler]:
    """Let only these roles call the handler; with no role named, anybody who is signed in."""

    def mark(handler: Handler) -> Handler:
        _access[handler] = Access(frozenset(roles or ROLES), body)
        return handler

    return mark


def public(handler: Handler) -> Handler:
    """Let everybody call the handler, signed in or not."""
    _access[handler] = Access(None)
    return handler


def access_of(handler: object) -> Access | None:
    """Return what the handler demands, or None when it never said."""
    return _access.get(handler)  # type: ignore[call-overload, no-any-return]
