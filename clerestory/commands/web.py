"""`clerestory web` and `clerestory account`: the pages, and who may sign in to them."""

import asyncio
import sys
from collections.abc import Callable
from typing import get_args

import click
from psycopg import AsyncConnection

from clerestory.acting import act_on_site
from clerestory.door import try_address
from clerestory.failures import say_failures
from clerestory.logs import begin_logging
from clerestory.seeing.listener import seen
from clerestory.server import serving
from clerestory.site import Site, open_site
from clerestory.stopping import stop_on_signals
from config.clock import SystemClock
from config.settings import Settings, load_settings
from config.text import Language
from web import account_store, accounts
from web.access import ROLES, Role
from web.accounts import AccountRefused, Wanted
from web.passwords import Passwords, UnfitPassword


@click.command()
@say_failures
def web() -> None:
    """Serve the pages for technicians, residents, the desk and finance."""
    settings = load_settings()
    begin_logging(settings)
    asyncio.run(_web(settings))


async def _web(settings: Settings) -> None:
    await try_address(settings)
    async with (
        stop_on_signals() as stop,
        open_site(settings, SystemClock(), broker=False) as site,
        seen(site, "web"),
        serving(site) as url,
    ):
        click.echo(f"pages on {url}")
        await stop.wait()


@click.group()
def account() -> None:
    """Who may sign in: add, list, password, disable."""


def _password_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking."
    )(command)


def _password(*, from_stdin: bool) -> str:
    """Ask for a password, or read one line; never an argument, which others could see."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    answer: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return answer


@account.command("add")
@click.argument("login")
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option(
    "--name", default="", help="As shown on pages; a technician's or resident's own name if left out."
)
@click.option("--language", type=click.Choice(get_args(Language)), default="zh", show_default=True)
@click.option("--staff", help="Code of the technician this account belongs to.")
@click.option("--party", help="Code of the resident this account belongs to.")
@click.option("--community", "communities", multiple=True, help="Code of a community it may see; repeatable.")
@click.option("--no-password", is_flag=True, help="Make it without one; it cannot sign in yet.")
@_password_option
@say_failures
def add(
    login: str,
    role: Role,
    name: str,
    language: Language,
    staff: str | None,
    party: str | None,
    communities: tuple[str, ...],
    *,
    no_password: bool,
    password_stdin: bool,
) -> None:
    """Add the account LOGIN. Its password is asked for, or read with --password-stdin."""
    wanted = Wanted(login.lower(), role, name, language, staff, party, communities)
    password = None if no_password else _password(from_stdin=password_stdin)

    async def act(conn: AsyncConnection, _: Site) -> None:
        await accounts.add(conn, wanted, password, Passwords())

    act_on_site(act, AccountRefused, UnfitPassword)
    click.echo(f"{wanted.login}: added as {role}")


@account.command("list")
@say_failures
def list_accounts() -> None:
    """List every account."""

    async def act(conn: AsyncConnection, _: Site) -> None:
        for row in await account_store.accounts(conn):
            state = "disabled" if row.disabled_at else "" if row.has_password else "no password yet"
            cells = (row.login, row.role, row.language, row.name, row.belongs_to, state)
            click.echo("\t".join(cells).rstrip())

    act_on_site(act, AccountRefused, UnfitPassword)


@account.command("password")
@click.argument("login")
@_password_option
@say_failures
def change_password(login: str, *, password_stdin: bool) -> None:
    """Set a new password for LOGIN and sign it out everywhere."""
    password = _password(from_stdin=password_stdin)

    async def act(conn: AsyncConnection, _: Site) -> None:
        await accounts.set_password(conn, login.lower(), password, Passwords())

    act_on_site(act, AccountRefused, UnfitPassword)
    click.echo(f"{login.lower()}: password changed, signed out everywhere")


@account.command("disable")
@click.argument("login")
@say_failures
def disable(login: str) -> None:
    """Let LOGIN sign in no more, and sign it out everywhere."""

    async def act(conn: AsyncConnection, site: Site) -> None:
        await accounts.disable(conn, login.lower(), site.clock.now())

    act_on_site(act, AccountRefused, UnfitPassword)
    click.echo(f"{login.lower()}: disabled")


COMMANDS = [web, account]
