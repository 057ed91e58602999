"""`clerestory rules versions`, `switch-on` and `back`: what the page does, at the command line."""

import getpass
from pathlib import Path

import click
from psycopg import AsyncConnection

from clerestory.acting import act_on_site
from clerestory.commands.rules_replay import changed_source
from clerestory.failures import say_failures
from clerestory.site import Site
from dispatch.switching import rules_gone
from rules.versions import store
from rules.versions.force import InForce
from rules.versions.switching import By, Switched, SwitchRefused, go_back, switch_on

DIGITS = 12
_REASON = click.option("--reason", required=True, help="Why; it is kept with the version.")
_WHO = click.option(
    "--by", "who", help="Your name as it is kept; else the name you are signed in under here."
)
_BASE = click.option(
    "--base",
    type=click.IntRange(0),
    help="The version you looked at (0: the file); refused if there is a newer one. Else whatever is newest.",
)


@click.command()
@click.argument("file", required=False)
@say_failures
def versions(file: str | None) -> None:
    """List the rule files with what is in force, or the versions of FILE, newest first."""

    async def act(conn: AsyncConnection, site: Site) -> None:
        known = await site.rules.refresh(conn)
        if file is None:
            _say_files(known)
            return
        if known.source(file) is None and file not in known.newest:
            names = ", ".join(source.name for source in known.sources)
            raise click.UsageError(f"there is no rule file {file!r}; there are: {names}")
        for each in await store.history(conn, file):
            what = "the file again" if each.text is None else f"{len(each.text.splitlines())} lines"
            back = f", as in {each.back_to}" if each.back_to else ""
            click.echo(
                f"{each.version}\t{each.made_at:%Y-%m-%d %H:%M}Z\t{each.made_by}\t{what}{back}\t{each.reason}"
            )
        shipped = known.file(file)
        if shipped is not None:
            click.echo(f"0\t\t\tthe file {shipped.place}\tdigest {known.digest(file)[:DIGITS]}")

    act_on_site(act, SwitchRefused)


@click.command("switch-on")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--replaces", metavar="NAME", help="The rule file it stands in for; else that of its asset class."
)
@_BASE
@click.option(
    "--made-from",
    metavar="DIGEST",
    help="The file yours was made from, as `rules versions NAME` says; refused where there is another now.",
)
@_REASON
@_WHO
@say_failures
def switch_on_command(
    file: Path, replaces: str | None, base: int | None, made_from: str | None, reason: str, who: str | None
) -> None:
    """Put the rules of FILE in force in every running process, without a restart."""

    async def act(conn: AsyncConnection, site: Site) -> None:
        known = await _known(site)
        changed = changed_source(file, replaces, known.sources)
        expected = known.version(changed.name) if base is None else base
        by = By(who or getpass.getuser(), reason)
        now = site.clock.now()
        digest = known.digest(changed.name)
        meant = digest if made_from == digest[:DIGITS] else made_from
        done = await switch_on(conn, known.files, changed.name, changed.text, expected, by, now, meant)
        await _finish(conn, site, done)

    act_on_site(act, SwitchRefused)


@click.command()
@click.argument("file")
@click.argument("version", type=click.IntRange(0))
@_BASE
@_REASON
@_WHO
@say_failures
def back(file: str, version: int, base: int | None, reason: str, who: str | None) -> None:
    """Put an earlier VERSION of the rule file FILE in force again; 0 is the file itself."""

    async def act(conn: AsyncConnection, site: Site) -> None:
        known = await _known(site)
        expected = known.version(file) if base is None else base
        by = By(who or getpass.getuser(), reason)
        done = await go_back(conn, known.files, file, version, expected, by, site.clock.now())
        await _finish(conn, site, done)

    act_on_site(act, SwitchRefused)


async def _known(site: Site) -> InForce:
    """What is in force; on a connection of its own, as whoever reads it in the transaction is not alone."""
    async with site.pool.connection() as conn:
        return await site.rules.refresh(conn)


async def _finish(conn: AsyncConnection, site: Site, done: Switched) -> None:
    await rules_gone(conn, [alarm_id for alarm_id, _ in done.ended], site.clock.now())
    click.echo(f"{done.file}: version {done.version} is in force")
    if done.ended:
        click.echo(f"{len(done.ended)} alarms of rules that are no more have ended, their orders with them")


def _say_files(known: InForce) -> None:
    for source in known.sources:
        version = known.newest.get(source.name)
        if version is None:
            click.echo(f"{source.name}\tthe file {source.place}")
            continue
        what = "the file again" if version.text is None else "switched on"
        when = f"{version.made_at:%Y-%m-%d %H:%M}Z"
        click.echo(
            f"{source.name}\tversion {version.version}, {what} {when} by {version.made_by}: {version.reason}"
        )
        if known.outdated(source.name):
            click.echo(
                f"{source.name}\tthe file has changed since: see clerestory rules versions {source.name}"
            )
    for problem in known.troubles:
        click.echo(f"not usable, its file stands in: {problem}", err=True)


COMMANDS = [versions, switch_on_command, back]
