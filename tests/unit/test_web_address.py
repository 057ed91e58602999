"""Whose address a sign-in is counted under."""

from types import SimpleNamespace
from typing import cast

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from web.house import HOUSE, House
from web.security import address_of

PROXY = "10.0.0.2"


def request(peer: str, *lines: str, behind_proxy: bool = True) -> web.Request:
    app = web.Application()
    app[HOUSE] = cast("House", SimpleNamespace(behind_proxy=behind_proxy))
    headers = CIMultiDict([("X-Forwarded-For", line) for line in lines])
    return make_mocked_request("GET", "/sign-in", headers=headers, app=app).clone(remote=peer)


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        ((), PROXY),
        (("11.12.13.14",), "11.12.13.14"),
        (("21.22.23.24, 11.12.13.14",), "11.12.13.14"),
        # HAProxy adds a line of its own below the one that the sender made up.
        (("21.22.23.24", "11.12.13.14"), "11.12.13.14"),
    ],
)
def test_behind_a_proxy_the_address_it_saw_counts(lines: tuple[str, ...], address: str) -> None:
    assert address_of(request(PROXY, *lines)) == address


def test_who_comes_past_the_proxy_says_nothing_about_themselves() -> None:
    assert address_of(request("11.12.13.14", "21.22.23.24")) == "11.12.13.14"
    assert address_of(request(PROXY, "21.22.23.24", behind_proxy=False)) == PROXY
