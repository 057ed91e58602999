"""`clerestory devices`: register them one by one or from a sheet, list them, retire them."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar, get_args

import click
from psycopg import AsyncConnection

from clerestory.acting import act_on_site
from clerestory.failures import say_failures
from clerestory.site import Site
from config.profiles import load_profiles
from config.text import Language
from dispatch import leaving
from gateway.devices import importing, listing, register, store
from gateway.devices.draft import Fit, Registered, Wanted
from gateway.devices.importing import Plan
from gateway.devices.judging import judge
from gateway.devices.payloads import readable_name
from gateway.devices.register import DeviceRefused, Hand
from gateway.devices.sheet import HEADINGS, Unreadable, read, write_csv, write_excel
from gateway.devices.strangers import MOST_COUNTED, Stranger, latest

NAMES_SHOWN = 8

T = TypeVar("T")


@click.group()
def devices() -> None:
    """The devices: add, import, export, list, retire."""


@devices.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Say what would change, and change nothing.")
@say_failures
def import_(file: Path, *, check: bool) -> None:
    """Register the devices of FILE (.xlsx or .csv), all of them, or say every mistake in it.

    The first row names the columns; see `clerestory devices template`. A device that is there already is
    changed to what its row says. Exit code 1: there are mistakes, and nothing was imported.
    """
    content = file.read_bytes()

    async def act(conn: AsyncConnection, site: Site) -> Plan:
        attributes = listing.rule_attributes(await site.rules.now(conn))
        sheet = read(content, listing.known_attributes(attributes))
        land = await register.survey(conn, [row.wanted for row in sheet.rows], load_profiles(), attributes)
        plan = importing.plan(sheet, land)
        if not plan.faults and not check:
            await leaving.apply(conn, plan.fits, Hand(site.clock.now(), "import"))
        return plan

    try:
        plan = _run(act)
    except Unreadable as error:
        raise click.ClickException(f"{file}: {error.text.en}") from None
    if plan.faults:
        for fault in plan.faults:
            at = f"{fault.column}{fault.row}" if fault.column else f"row {fault.row}"
            click.echo(f"{file}: {at}: {fault.heading or '-'}: {fault.value!r}: {fault.right.en}", err=True)
        more = " or more" if plan.more else ""
        count = len(plan.faults)
        click.echo(f"{count}{more} mistake{'s' if count > 1 else ''}; nothing was imported.", err=True)
        raise SystemExit(1)
    click.echo(f"{file}: {'would change' if check else 'imported'}")
    for words, fits in (("new", plan.new), ("changed", plan.changed), ("unchanged", plan.unchanged)):
        if fits:
            click.echo(f"  {words}: {len(fits)}: {_names(fits)}")


def _names(fits: list[Fit]) -> str:
    more = len(fits) - NAMES_SHOWN
    shown = ", ".join(f"{fit.community}/{fit.code}" for fit in fits[:NAMES_SHOWN])
    return shown + (f", and {more} more" if more > 0 else "")


@devices.command()
@click.argument("name", metavar="COMMUNITY/CODE")
@click.option("--profile", required=True, help="How it speaks; see `clerestory devices profiles`.")
@click.option("--asset", default="", help="Code of the asset that it watches.")
@click.option("--dev-eui", default="", help="16 hexadecimal digits, for LoRaWAN.")
@click.option("--set", "attributes", multiple=True, metavar="NAME=VALUE", help="An attribute; repeatable.")
@say_failures
def add(name: str, profile: str, asset: str, dev_eui: str, attributes: tuple[str, ...]) -> None:
    """Register one device. What it had published already is taken by the worker."""
    community, slash, code = name.partition("/")
    if not slash:
        raise click.UsageError(f"{name!r}: right would be COMMUNITY/CODE")
    pairs = [each.partition("=") for each in attributes]
    for pair in pairs:
        if not pair[1]:
            raise click.UsageError(f"--set {pair[0]!r}: right would be NAME=VALUE")
    wanted = Wanted(community, code, profile, asset, dev_eui, {key: value for key, _, value in pairs})

    async def act(conn: AsyncConnection, site: Site) -> list[str]:
        attributes = listing.rule_attributes(await site.rules.now(conn))
        judged = judge(wanted, await register.survey(conn, [wanted], load_profiles(), attributes))
        if not isinstance(judged, Fit):
            return [f"{each.field}: {each.value!r}: {each.right.en}" for each in judged]
        if judged.was is not None:
            return [f"code: {code!r}: is a device already; change it on its page, or import a sheet"]
        await leaving.apply(conn, [judged], Hand(site.clock.now(), "command"))
        return []

    mistakes = _run(act)
    if mistakes:
        raise click.ClickException("; ".join(mistakes))
    click.echo(f"{name}: added")


@devices.command("list")
@click.option("--community", help="Only those of this community.")
@click.option("--all", "every", is_flag=True, help="Also retired ones.")
@say_failures
def list_(community: str | None, *, every: bool) -> None:
    """List the devices."""
    found = [each for each in _registered(community) if every or each.retired_at is None]
    for each in found:
        state = f"retired {each.retired_at:%Y-%m-%d}" if each.retired_at else ""
        cells = (f"{each.community}/{each.code}", each.profile, each.asset or "-", each.dev_eui or "-", state)
        click.echo("\t".join(cells).rstrip())
    if not found:
        click.echo("no devices")


def _registered(community: str | None) -> list[Registered]:
    async def act(conn: AsyncConnection, _: Site) -> list[Registered]:
        known = await store.communities(conn)
        if community is not None and community not in known:
            raise click.ClickException(f"there is no community {community!r}; there are: {', '.join(known)}")
        return await store.registered(conn, [known[community]] if community else list(known.values()))

    return _run(act)


def _format(path: Path) -> str:
    if path.suffix not in {".xlsx", ".csv"}:
        raise click.UsageError(f"{path}: its name should end in .xlsx or .csv")
    return path.suffix


@devices.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--community", help="Only those of this community.")
@click.option("--language", type=click.Choice(get_args(Language)), default="zh", show_default=True)
@say_failures
def export(file: Path, community: str | None, language: Language) -> None:
    """Write the devices in use to FILE (.xlsx or .csv), as `import` reads it."""
    ending = _format(file)
    rows = [importing.as_row(each) for each in _registered(community) if each.retired_at is None]
    names = listing.columns(rows)
    write = write_excel if ending == ".xlsx" else write_csv
    file.write_bytes(write(names, rows, language))
    click.echo(f"{file}: {len(rows)} devices")


@devices.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--language", type=click.Choice(get_args(Language)), default="zh", show_default=True)
@say_failures
def template(file: Path, language: Language) -> None:
    """Write an empty sheet to FILE (.xlsx or .csv) whose columns `import` knows."""
    if _format(file) == ".csv":
        file.write_bytes(write_csv(tuple(HEADINGS), [], language))
    else:

        async def act(conn: AsyncConnection, site: Site) -> bytes:
            attributes = listing.rule_attributes(await site.rules.now(conn))
            notes = listing.notes(load_profiles(), attributes, language)
            return write_excel(tuple(HEADINGS), [], language, notes)

        file.write_bytes(_run(act))
    click.echo(f"{file}: written")


@devices.command()
@click.option("--ignored", is_flag=True, help="Those that are ignored.")
@say_failures
def strangers(*, ignored: bool) -> None:
    """List who publishes without being registered; `add` one, and what it sent is taken."""

    async def act(conn: AsyncConnection, _: Site) -> list[Stranger]:
        return await latest(conn, list(await store.communities(conn)), ignored=ignored)

    found = _run(act)
    for each in found:
        name = f"DevEUI {each.dev_eui}" if each.dev_eui else readable_name(f"{each.community}/{each.code}")
        many = f"{each.count}{'+' if each.count >= MOST_COUNTED else ''} messages"
        click.echo(
            f"{name}\t{many}\tfirst {each.first_at:%Y-%m-%d %H:%M}Z\tlast {each.last_at:%Y-%m-%d %H:%M}Z"
        )
    if not found:
        click.echo("nobody")


@devices.command()
@say_failures
def profiles() -> None:
    """List the device profiles."""
    known = load_profiles()
    for name in known.names:
        profile = known[name]
        label = f"{profile.label.zh} / {profile.label.en}"
        click.echo(f"{name}\t{profile.envelope}\t{profile.asset_class or '-'}\t{label}")


def _by_name(name: str, act: Callable[[AsyncConnection, int, Hand], Awaitable[None]]) -> None:
    async def on_device(conn: AsyncConnection, site: Site) -> None:
        community, _, code = name.partition("/")
        found = await store.device_named(conn, community, code)
        if found is None:
            raise click.ClickException(f"there is no device {name!r}; right would be COMMUNITY/CODE")
        await act(conn, found.device_id, Hand(site.clock.now(), "command"))

    _run(on_device)


@devices.command()
@click.argument("name", metavar="COMMUNITY/CODE")
@say_failures
def retire(name: str) -> None:
    """Take a device out of use; what it said stays, what it says from now on is refused.

    Its live alarms end, and their orders say why.
    """
    _by_name(name, leaving.retire)
    click.echo(f"{name}: retired")


@devices.command("bring-back")
@click.argument("name", metavar="COMMUNITY/CODE")
@say_failures
def bring_back(name: str) -> None:
    """Take a retired device into use again."""
    _by_name(name, leaving.bring_back)
    click.echo(f"{name}: in use again")


def _run(act: Callable[[AsyncConnection, Site], Awaitable[T]]) -> T:
    """Do something in one transaction on the site's database, or say in one line why not."""
    try:
        return act_on_site(act)
    except DeviceRefused as refused:
        raise click.ClickException(refused.text.en) from None


COMMANDS = [devices]
