"""Making the demo's community: loaded, with accounts, a past, and last month's bills; what is there stays."""

from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection

from billing.period import Period
from billing.run import run_bills
from clerestory import store
from clerestory.community.load import load_community
from clerestory.demo.history import Past, last_month, live_through
from clerestory.demo.secrets import Secrets, public_key
from clerestory.site import Site
from dispatch.people import By
from web import accounts
from web import store as web_store
from web.accounts import Wanted
from web.passwords import Passwords

COMMUNITY = "mingyue"
ZONE = ZoneInfo("Asia/Shanghai")
KIOSKS = ("K1", "K2")
RESIDENT_UNIT = "B3-1602"
OFFICE = (
    Wanted("admin", "administrator", "管理员"),
    Wanted("manager", "manager", "经理", communities=(COMMUNITY,)),
    Wanted("dispatcher", "dispatcher", "调度员", communities=(COMMUNITY,)),
    Wanted("finance", "finance", "财务", communities=(COMMUNITY,)),
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The community as it stands. `first` is true where this run made it."""

    community_id: int
    resident: str
    first: bool


def sample() -> Path:
    """The community that comes with the house."""
    return Path(str(files("config"))) / "communities" / "sample.yaml"


async def prepare(site: Site, secrets: Secrets, chance: Random, *, past: bool = True) -> Prepared:
    """Make everything that is not there yet. Each step is whole or not at all, and done once."""
    now = site.clock.now()
    today = now.astimezone(ZONE).date()
    async with site.pool.connection() as conn:
        report = await load_community(conn, sample(), now)
        community_id = report.community_id
        await keep_kiosk_keys(conn, community_id, secrets)
        resident = await _accounts(conn, community_id, secrets.password, today)
        logins = await store.accounts_by_login(conn)
    async with site.pool.connection() as conn:
        first = not await store.has_orders(conn, community_id)
        if first and past:
            verifier = By(account_id=logins["dispatcher"])
            begins, _ = last_month(today)
            await live_through(conn, Past(community_id, ZONE, verifier), begins, now, chance)
    period = Period.of(today).previous
    async with site.pool.connection() as conn:
        await store.read_meters(conn, community_id, period.first)
    if past:
        await run_bills(site.pool, period, now, communities=[COMMUNITY])
    return Prepared(community_id, resident, first)


async def keep_kiosk_keys(conn: AsyncConnection, community_id: int, secrets: Secrets) -> None:
    """Let the kiosks' devices carry the demo's own keys instead of the published ones of the sample."""
    for code, private_key in secrets.kiosks.items():
        await store.set_public_key(conn, community_id, code, public_key(private_key))


async def _accounts(conn: AsyncConnection, community_id: int, password: str, today: date) -> str:
    """Let the office, every technician and one resident sign in; returns the resident's login."""
    party = dict(await store.payers(conn, community_id, today))[RESIDENT_UNIT]
    resident = Wanted(RESIDENT_UNIT.lower(), "resident", party=party, communities=(COMMUNITY,))
    technicians = [Wanted(code, "technician", staff=code) for code in await store.staff_without_account(conn)]
    there = await store.accounts_by_login(conn)
    missing = [each for each in (*OFFICE, *technicians, resident) if each.login not in there]
    if missing:
        passwords = Passwords()
        password_hash = await passwords.hash(password)
        for wanted in missing:
            account_id = await accounts.add(conn, wanted, None, passwords)
            await web_store.set_password(conn, account_id, password_hash)
    return resident.login
