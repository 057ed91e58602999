"""Who may open what: every route, as every role, as another resident and as staff of another community.

A new route fails here until it is listed. Everything asked for belongs to ann (unit B1-101), to the
technician wang, or to the community `home`.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from aiohttp.test_utils import BaseTestServer
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from desk.tickets import NewTicket, open_ticket
from dispatch.people import By
from rules.versions import store as rule_versions
from rules.versions.store import NewVersion
from tests import town as towns
from tests.integration.web_client import Browser, serve
from tests.manual_clock import ManualClock
from tests.rule_trials import done_trial
from web.app import rooms

ROLES = {
    "ann": "resident",
    "bob": "resident",
    "eve": "resident",
    "wang": "technician",
    "zhao": "technician",
    "qian": "technician",
    "administrator": "administrator",
    "manager": "manager",
    "dispatcher": "dispatcher",
    "far-desk": "dispatcher",
    "finance": "finance",
    "far-finance": "finance",
}
EVERYBODY = frozenset(ROLES)
HOME_DESK = frozenset({"administrator", "manager", "dispatcher"})
HOME_MONEY = frozenset({"administrator", "manager", "finance"})


@dataclass(frozen=True)
class Rule:
    """Accounts that get an answer. Others of their roles find nothing (404), other roles may not (403)."""

    may: frozenset[str]
    roles: frozenset[str] = frozenset()
    visitors: bool = False

    def status_for(self, login: str) -> int:
        """Return the refusal this account gets."""
        served = self.roles or {ROLES[one] for one in self.may}
        return 404 if ROLES[login] in served else 403


ANYBODY = Rule(EVERYBODY, visitors=True)
SIGNED_IN = Rule(EVERYBODY)
TECHNICIANS = Rule(frozenset({"wang", "zhao", "qian"}))
THE_TECHNICIAN = Rule(frozenset({"wang"}))
MANAGERS = Rule(frozenset({"administrator", "manager"}))
DESKS = Rule(HOME_DESK | {"far-desk"})
THE_DESK = Rule(HOME_DESK)
BILLS = Rule(HOME_MONEY | {"ann"})
KEEPERS = Rule(frozenset({"administrator", "manager"}))
RESIDENTS = Rule(frozenset({"ann", "bob", "eve"}))
ANN = Rule(frozenset({"ann"}))
MONEY = Rule(HOME_MONEY | {"far-finance"})

ADMINISTRATOR = Rule(frozenset({"administrator"}))

MATRIX = {
    "GET /": SIGNED_IN,
    "GET /sign-in": ANYBODY,
    "POST /sign-in": ANYBODY,
    "POST /sign-out": ANYBODY,
    "GET /healthz": ANYBODY,
    "GET /readyz": ANYBODY,
    "GET /metrics": ANYBODY,  # from this machine; see tests/integration/test_seeing.py
    "GET /account": SIGNED_IN,
    "POST /account/password": SIGNED_IN,
    "POST /language": ANYBODY,
    "POST /text-size": ANYBODY,
    "GET /events": SIGNED_IN,
    "GET /bills": RESIDENTS,
    "GET /bills/{number}": BILLS,
    "GET /bills/{number}/amount": BILLS,
    "GET /bills/{number}/lines/{position}": BILLS,
    "GET /requests": RESIDENTS,
    "GET /requests/new": RESIDENTS,
    "POST /requests/new": RESIDENTS,
    "GET /requests/{number}": ANN,
    "GET /requests/{number}/talk": ANN,
    "POST /requests/{number}/words": ANN,
    "POST /requests/{number}/satisfaction": ANN,
    # ann and bob live in the building that the elevator serves; eve does not.
    "GET /records/{record_id}": Rule(HOME_DESK | {"finance", "ann", "bob", "wang", "zhao"}),
    "GET /photos/{sha256}": Rule(HOME_DESK | {"finance", "ann", "bob", "wang", "zhao"}),
    "GET /finance": MONEY,
    "GET /finance/lists": MONEY,
    "GET /work": TECHNICIANS,
    "GET /work/jobs": TECHNICIANS,
    "GET /work/{number}": THE_TECHNICIAN,
    "GET /work/{number}/head": THE_TECHNICIAN,
    "GET /work/{number}/photos/{sha256}": THE_TECHNICIAN,
    "POST /work/{number}/accept": THE_TECHNICIAN,
    "POST /work/{number}/decline": THE_TECHNICIAN,
    "POST /work/{number}/set-off": THE_TECHNICIAN,
    "POST /work/{number}/arrive": THE_TECHNICIAN,
    "POST /work/{number}/hold": THE_TECHNICIAN,
    "POST /work/{number}/resume": THE_TECHNICIAN,
    "POST /work/{number}/progress": THE_TECHNICIAN,
    "POST /work/{number}/hand-back": THE_TECHNICIAN,
    "POST /work/{number}/photos": THE_TECHNICIAN,
    "POST /work/{number}/review": THE_TECHNICIAN,
    "POST /work/{number}/edit": THE_TECHNICIAN,
    "POST /work/{number}/complete": THE_TECHNICIAN,
    "GET /desk": DESKS,
    "GET /desk/queue": DESKS,
    "GET /desk/orders/{number}": THE_DESK,
    "GET /desk/orders/{number}/live": THE_DESK,
    "GET /desk/orders/{number}/photos/{sha256}": THE_DESK,
    "GET /desk/alarms/{alarm}": THE_DESK,
    "GET /alarms": DESKS,
    "GET /alarms/live": DESKS,
    "GET /alarms/history": DESKS,
    "GET /alarms/history.csv": DESKS,
    "GET /alarms/mutes": DESKS,
    "POST /alarms/mutes": DESKS,
    "POST /alarms/mutes/{mute}/lift": THE_DESK,
    "GET /alarms/emergencies": DESKS,
    "POST /alarms/emergencies": DESKS,
    "POST /alarms/emergencies/{community}/end": THE_DESK,
    "GET /thresholds": DESKS,
    "POST /thresholds": KEEPERS,
    "GET /alarms/{alarm}": THE_DESK,
    "GET /alarms/{alarm}/live": THE_DESK,
    "POST /alarms/{alarm}/acknowledge": THE_DESK,
    "POST /alarms/{alarm}/withdraw": THE_DESK,
    "POST /alarms/{alarm}/mute": THE_DESK,
    "GET /desk/new": DESKS,
    "POST /desk/new": DESKS,
    "GET /desk/assets": DESKS,
    "GET /desk/orders/{number}/{act}": THE_DESK,
    "POST /desk/orders/{number}/{act}": THE_DESK,
    "GET /desk/requests": DESKS,
    "GET /desk/requests/new": DESKS,
    "POST /desk/requests/new": DESKS,
    "GET /desk/requests/{number}": THE_DESK,
    "GET /desk/requests/{number}/talk": THE_DESK,
    "GET /desk/requests/{number}/work": THE_DESK,
    "POST /desk/requests/{number}/take": THE_DESK,
    "POST /desk/requests/{number}/answer": THE_DESK,
    "POST /desk/requests/{number}/close": THE_DESK,
    "POST /desk/requests/{number}/work": THE_DESK,
    "GET /rules": ADMINISTRATOR,
    "GET /rules/{file}": ADMINISTRATOR,
    "GET /rules/{file}/versions/{version}": ADMINISTRATOR,
    "POST /rules/{file}/back": ADMINISTRATOR,
    "GET /rules/{file}/edit": ADMINISTRATOR,
    "POST /rules/{file}/check": ADMINISTRATOR,
    "POST /rules/{file}/try": ADMINISTRATOR,
    "GET /rules/trials/{trial}": ADMINISTRATOR,
    "GET /rules/trials/{trial}/progress": ADMINISTRATOR,
    "GET /rules/trials/{trial}/series.json": ADMINISTRATOR,
    "POST /rules/trials/{trial}/cancel": ADMINISTRATOR,
    "POST /rules/trials/{trial}/switch-on": ADMINISTRATOR,
    "GET /operations": MANAGERS,
    "GET /operations/now": MANAGERS,
    "GET /devices": DESKS,
    "GET /devices/{community}/{code}/letters/{letter}": THE_DESK,
    "POST /devices/{community}/{code}/letters/{letter}": THE_DESK,
    "GET /devices/new": KEEPERS,
    "POST /devices/new": KEEPERS,
    "GET /devices/find-asset": KEEPERS,
    "GET /devices/fields": KEEPERS,
    "GET /devices/import": KEEPERS,
    "POST /devices/import": KEEPERS,
    "POST /devices/import-confirm": KEEPERS,
    "GET /devices/template": KEEPERS,
    "GET /devices/export": KEEPERS,
    "GET /devices/strangers": KEEPERS,
    "POST /devices/ignore": KEEPERS,
    "POST /devices/heed": KEEPERS,
    "GET /devices/labels": KEEPERS,
    "GET /devices/{community}/{code}/label": KEEPERS,
    "GET /devices/{community}/{code}/edit": KEEPERS,
    "POST /devices/{community}/{code}/edit": KEEPERS,
    "GET /devices/{community}/{code}/manage": KEEPERS,
    "GET /devices/{community}/{code}/waiting": KEEPERS,
    "POST /devices/{community}/{code}/bring-back": KEEPERS,
    "POST /devices/{community}/{code}/issue": KEEPERS,
    "POST /devices/{community}/{code}/revoke": KEEPERS,
    "POST /devices/{community}/{code}/undo": KEEPERS,
    "POST /devices/{community}/{code}/retire": KEEPERS,
    "GET /d/{community}/{code}": Rule(HOME_DESK | {"wang", "zhao", "ann", "bob"}),
    "GET /devices/{community}/{code}": THE_DESK,
    "GET /devices/{community}/{code}/values": THE_DESK,
    "GET /devices/{community}/{code}/series.json": THE_DESK,
}


@dataclass(frozen=True)
class Asked:
    """The rows that the matrix asks for."""

    server: BaseTestServer
    bill: str
    record: int
    order: str
    photo: str
    live_photo: str
    alarm: int
    mute: int
    ticket: str
    letter: int
    trial: int

    def path(self, route: str) -> str:
        """Fill a route's placeholders with what belongs to ann, wang or home."""
        path = route.split(" ", 1)[1]
        number = self.order
        if "/requests" in path:
            number = self.ticket
        elif path.startswith("/bills"):
            number = self.bill
        photo = self.photo if path.startswith("/photos") else self.live_photo
        values = {
            "number": number,
            "position": "1",
            "record_id": str(self.record),
            "sha256": photo,
            "alarm": str(self.alarm),
            "mute": str(self.mute),
            "act": "reassign",
            "community": "home",
            "code": "L1-S",
            "letter": str(self.letter),
            "file": "elevator",
            "version": "1",
            "trial": str(self.trial),
        }
        return path.format_map(values) + ("?signal=speed_m_s" if path.endswith(".json") else "")


@pytest.fixture
async def asked(pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock) -> AsyncIterator[Asked]:
    town = await towns.build(conn)
    october = datetime(2026, 10, 9, 2, tzinfo=UTC)
    record = await towns.do_work(conn, town, "L1", october, photo=towns.picture("#0f5fa6"))
    bills = await towns.bill(pool, clock.now())
    order_id = await towns.begin_work(conn, town, "L1", clock.now(), photo=towns.picture("#b3261e"))
    alarm = await _value(
        conn,
        """
        INSERT INTO alarm (community_id, device_id, rule, severity, title_zh, title_en, meaning_zh,
                           meaning_en, raised_at, recorded_at)
        VALUES (%(community)s, %(device)s, 'r', 'minor', '门', 'Door', '门', 'Door', %(now)s, %(now)s)
        RETURNING id
        """,
        community=town.communities["home"],
        device=town.devices["L1"],
        now=clock.now(),
    )
    letter = await _value(
        conn,
        """
        INSERT INTO dead_letter (received_at, topic, payload, digest, reason, detail)
        VALUES (%(now)s, 'clerestory/home/L1-S/up', '', '1', 'not_json', '?') RETURNING id
        """,
        now=clock.now(),
    )
    ticket = NewTicket(
        community_id=town.communities["home"],
        unit_id=town.units["B1-101"],
        party_id=town.parties["ann"],
        kind="repair",
        channel="page",
        body="?",
    )
    number = await open_ticket(conn, ticket, By(account_id=town.accounts["ann"]), clock.now())
    trial = await done_trial(
        conn, town.accounts["administrator"], clock.now(), device="L1-S", file="elevator"
    )
    await rule_versions.insert(conn, NewVersion("elevator", 0, None, "", 0, "r", None, "chen"), clock.now())
    async with serve(pool, clock) as server:
        yield Asked(
            server=server,
            bill=bills["B1-101"],
            record=record,
            order=str(await _value(conn, "SELECT number FROM work_order WHERE id = %(id)s", id=order_id)),
            photo=str(await _value(conn, _PHOTO, before=clock.now())),
            live_photo=str(
                await _value(conn, "SELECT sha256 FROM order_photo WHERE order_id = %(id)s", id=order_id)
            ),
            alarm=int(str(alarm)),
            mute=int(str(await _value(conn, _MUTE, community=town.communities["home"], now=clock.now()))),
            ticket=number,
            letter=int(str(letter)),
            trial=trial,
        )


_MUTE = """
    INSERT INTO mute (community_id, why, name, at, until)
    VALUES (%(community)s, '修', '陈', %(now)s, %(now)s + interval '1 h') RETURNING id
"""
_PHOTO = "SELECT sha256 FROM order_photo WHERE taken_at < %(before)s"


async def _value(conn: AsyncConnection, query: str, **values: object) -> object:
    row = await (await conn.execute(query, values)).fetchone()
    assert row is not None
    return row[0]


def test_every_route_is_listed() -> None:
    def plain(path: str) -> str:
        """Drop the pattern of each placeholder."""
        return "".join(part.split(":")[0] + "}" if ":" in part else part for part in _parts(path))

    assert {f"{route.method} {plain(route.path)}" for route in rooms()} == set(MATRIX)


def _parts(path: str) -> list[str]:
    """Split a route's path before each placeholder, keeping braces of repetitions within it."""
    parts, depth = [""], 0
    for character in path:
        if character == "{" and depth == 0:
            parts.append("")
        depth += {"{": 1, "}": -1}.get(character, 0)
        parts[-1] += character
        if character == "}" and depth == 0:
            parts.append("")
    return parts


async def _status(browser: Browser, route: str, path: str) -> int:
    if route.startswith("POST"):
        fields = {"request_id": uuid4().hex, "reason": "x", "words": "x", "why": "x"}
        return (await browser.post(path, fields)).status
    async with browser.client.get(path, allow_redirects=False) as response:
        return response.status


async def test_a_visitor_is_sent_to_sign_in(asked: Asked) -> None:
    async with Browser(asked.server) as browser:
        await browser.get("/sign-in")
        wrong = {}
        for route, rule in MATRIX.items():
            status = await _status(browser, route, asked.path(route))
            refused = status == (401 if route.startswith("POST") else 303)
            if rule.visitors == refused and not (rule.visitors and status == 303):
                wrong[route] = status
        assert wrong == {}


@pytest.mark.parametrize("login", ROLES)
async def test_an_account_gets_its_own_and_nothing_else(asked: Asked, login: str) -> None:
    async with Browser(asked.server) as browser:
        assert (await browser.sign_in(login)).status == 303
        wrong = {}
        for route, rule in sorted(MATRIX.items(), key=lambda item: item[0].startswith("POST")):
            if route in {"POST /sign-out", "POST /sign-in"}:
                continue
            status = await _status(browser, route, asked.path(route))
            if login not in rule.may:
                right = status == rule.status_for(login)
            elif route.startswith("GET"):
                right = status in {200, 303}
            else:
                right = status < 500 and status not in {401, 403, 404}
            if not right:
                wrong[route] = status
        assert wrong == {}


async def test_a_change_without_our_token_is_refused(asked: Asked) -> None:
    changes = {route: rule.may for route, rule in MATRIX.items() if route.startswith("POST")}
    wrong = {}
    for login in ("ann", "wang", "dispatcher"):
        async with Browser(asked.server) as browser:
            await browser.sign_in(login)
            good = browser.csrf
            for route in [route for route, may in changes.items() if login in may]:
                path = asked.path(route)
                statuses = []
                for token in ("", "x" * 43, "é"):
                    browser.csrf = token
                    statuses.append((await browser.post(path, {})).status)
                browser.csrf = good
                foreign = ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"})
                statuses += [(await browser.post(path, {}, **header)).status for header in foreign]
                if set(statuses) != {403}:
                    wrong[login, route] = statuses
    assert wrong == {}
