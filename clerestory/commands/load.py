"""`clerestory load`: describe a community in YAML, check it, load it, see what changed."""

import asyncio
from pathlib import Path

import click
from psycopg import AsyncConnection, Rollback
from psycopg_pool import AsyncConnectionPool

from clerestory.community.load import Changes, LoadReport, check_community, load_community
from clerestory.community.mistakes import MistakesFound
from clerestory.demo.prepare import COMMUNITY, keep_kiosk_keys
from clerestory.demo.secrets import Secrets, secrets_in
from clerestory.failures import say_failures
from clerestory.site import open_site
from config.clock import Clock, SystemClock
from config.settings import load_settings
from rules.book import RuleBook, site_rulebook

NAMES_SHOWN = 8


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Only check the file; no database is needed.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@say_failures
def load(file: Path, *, check: bool, dry_run: bool) -> None:
    """Load a community from FILE (YAML), or report every mistake in it.

    Loading twice changes nothing. What is no longer in the file is removed; what has history is ended or
    retired instead. Exit code 1: the file has mistakes, and nothing was loaded.
    """
    try:
        if check:
            counts = check_community(file, site_rulebook(load_settings().rules_dir)).sections.counts()
            said = ", ".join(f"{count} {_words(section)}" for section, count in counts.items())
            click.echo(f"{file}: no mistakes; {said}")
            return
        report = asyncio.run(_load(file, SystemClock(), dry_run=dry_run))
    except MistakesFound as found:
        click.echo(str(found), err=True)
        count = len(found.mistakes)
        click.echo(f"{count} mistake{'s' if count > 1 else ''}; nothing was loaded.", err=True)
        raise SystemExit(1) from None
    for line in report_lines(report, dry_run=dry_run):
        click.echo(line)


async def _load(file: Path, clock: Clock, *, dry_run: bool) -> LoadReport:
    settings = load_settings()
    secrets = None if settings.database_url else secrets_in(settings.data_dir)
    async with open_site(settings, clock, broker=False) as site:
        report = await load_into(site.pool, file, clock, book=site.book, dry_run=dry_run, secrets=secrets)
    if secrets is not None and report.community == COMMUNITY:
        click.echo(f"kiosks {', '.join(secrets.kiosks)} keep the demo's own keys")
    return report


async def load_into(
    pool: AsyncConnectionPool[AsyncConnection],
    file: Path,
    clock: Clock,
    *,
    book: RuleBook | None = None,
    dry_run: bool = False,
    secrets: Secrets | None = None,
) -> LoadReport:
    """Load a file in one transaction of its own; a dry run rolls it back.

    With a demo's secrets its kiosks keep the demo's own keys: those in the file are published.
    """
    async with pool.connection() as conn, conn.transaction() as transaction:
        report = await load_community(conn, file, clock.now(), book)
        if secrets is not None and report.community == COMMUNITY:
            await keep_kiosk_keys(conn, report.community_id, secrets)
        if dry_run:
            raise Rollback(transaction)
    return report


def report_lines(report: LoadReport, *, dry_run: bool = False) -> list[str]:
    """What loading changed, a line for each section and each way."""
    if not report.changed:
        return [f"{report.community}: nothing to change", *_kept(report)]
    lines = [f"{report.community}: {'would change' if dry_run else 'changed'}"]
    for section, changes in report.sections.items():
        for way in ("added", "changed", "removed", "retired"):
            names: list[str] = getattr(changes, way)
            if names:
                lines.append(f"  {_words(section)}: {len(names)} {way}: {_names(names)}")
    return [*lines, *_kept(report)]


def _kept(report: LoadReport) -> list[str]:
    """Rows that are not in the file but stay, because others still refer to them."""

    def line(section: str, changes: Changes) -> str:
        return f"  {_words(section)}: {len(changes.kept)} kept, they have history: {_names(changes.kept)}"

    return [line(section, changes) for section, changes in report.sections.items() if changes.kept]


def _names(names: list[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f", and {more} more" if more > 0 else "")


def _words(section: str) -> str:
    return section.replace("_", " ")


COMMANDS = [load]
