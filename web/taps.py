"""What every form of the work and desk pages carries beside its fields: one tap of one person."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import uuid4

from aiohttp import web

from dispatch.people import By
from web.errors import Refusal
from web.session import account_of

_KEY: Final = re.compile(r"[0-9]{1,9}")
_YEARS: Final = range(1970, 9999)
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9-]{8,64}")


def fresh() -> str:
    """Return a new request id: every rendered form names its tap, so that a double tap is one."""
    return uuid4().hex


def word_of(form: Mapping[str, object], name: str) -> str:
    """Return a text field without its margins; empty where it is missing, a file, or cannot be kept."""
    value = form.get(name, "")
    return value.replace("\0", "").strip() if isinstance(value, str) else ""


def key_of(typed: str) -> int | None:
    """Return a row's id from a form or an address; None for what cannot be one."""
    return int(typed) if _KEY.fullmatch(typed) else None


def tap_of(request: web.Request, form: Mapping[str, object], *, staff_id: int | None = None) -> By:
    """Return who tapped, and which tap it was; a form without a request id is not one of ours."""
    request_id = word_of(form, "request_id")
    if not _REQUEST_ID.fullmatch(request_id):
        raise Refusal(400)
    return By(
        account_id=account_of(request).id,
        staff_id=staff_id,
        device_at=moment_of(word_of(form, "device_at")),
        request_id=request_id,
    )


def moment_of(value: str) -> datetime | None:
    """Return the phone's clock; a phone without one that makes sense simply does not say."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    # A clock that was never set says a year that the database keeps and nobody can read back.
    sensible = moment.tzinfo is not None and moment.year in _YEARS
    return moment if sensible else None


def go(location: str) -> web.Response:
    """Send the browser on after a change, so that a reload repeats nothing."""
    return web.Response(status=303, headers={"Location": location})
