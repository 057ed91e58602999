"""Errors people can read: what, why, what to do."""

import logging
import secrets
from collections.abc import Mapping
from typing import Final

from aiohttp import web
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from web.access import Handler
from web.i18n import LANGUAGE
from web.render import N_, page, translator

log = logging.getLogger(__name__)


class Refusal(Exception):
    """An answer with an error status; `what` and `reason` are words in the reader's language."""

    def __init__(
        self, status: int, reason: str = "", *, what: str = "", retry_after: int | None = None
    ) -> None:
        super().__init__(reason or str(status))
        self.status = status
        self.what = what
        self.reason = reason
        self.retry_after = retry_after


# status: (what, why and what to do)
_SENTENCES: Final[Mapping[int, tuple[str, str]]] = {
    400: (N_("That did not arrive whole"), N_("Go back, check what you entered, and send it again.")),
    403: (
        N_("Not for this account"),
        N_("Your account may not open this. Ask the property office if it should."),
    ),
    404: (N_("Nothing here"), N_("The address is wrong, or this page is not yours to see.")),
    405: (N_("Not this way"), N_("This address cannot be used like that. Start again from the home page.")),
    409: (N_("Somebody was faster"), N_("It changed while you were looking. Load the page again.")),
    413: (N_("Too large"), N_("The file or text is larger than we take. Send a smaller one.")),
    429: (N_("Too many tries"), N_("Wait a little, then try again.")),
    500: (N_("Our fault"), N_("Something went wrong on our side. Nothing was lost; try again in a minute.")),
    503: (N_("Back in a moment"), N_("The system is restarting. Try again in a minute.")),
}


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every refusal and failure with a page of ours."""
    try:
        return await handler(request)
    except Refusal as refusal:
        response = _error_page(request, refusal.status, refusal.reason, title=refusal.what)
        if refusal.retry_after is not None:
            response.headers["Retry-After"] = str(refusal.retry_after)
        return response
    except web.HTTPRequestEntityTooLarge:
        return _error_page(request, 413)
    except web.HTTPException as answer:
        if answer.status < web.HTTPBadRequest.status_code:
            raise
        response = _error_page(request, answer.status)
        if "Allow" in answer.headers:
            response.headers["Allow"] = answer.headers["Allow"]
        return response
    except (PoolTimeout, OperationalError):
        log.exception("the database did not answer for %s %s", request.method, request.path)
        return _error_page(request, 503)
    except Exception:
        reference = secrets.token_hex(4)
        log.exception("%s %s failed, reference %s", request.method, request.path, reference)
        return _error_page(request, 500, reference=reference)


def _error_page(
    request: web.Request, status: int, reason: str = "", *, title: str = "", reference: str = ""
) -> web.Response:
    request.setdefault(LANGUAGE, "zh")
    known = (
        status if status in _SENTENCES else (400 if status < web.HTTPInternalServerError.status_code else 500)
    )
    what, why = _SENTENCES[known]
    say = translator(request).gettext
    part = "HX-Request" in request.headers
    return page(
        request,
        "error_part.html" if part else "error.html",
        {"status": status, "what": title or say(what), "why": reason or say(why), "reference": reference},
        status=status,
    )
