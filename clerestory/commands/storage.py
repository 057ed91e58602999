"""`clerestory migrate` and `clerestory doctor`."""

import asyncio
import json
import sys
from dataclasses import asdict

import click

from clerestory.doctor import DATABASE, Finding, examine
from clerestory.failures import say_failures
from config.clock import SystemClock
from config.settings import Settings, SettingsError, load_settings
from storage.embedded import open_database
from storage.migrate import migrate as apply_migrations

MARKS = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}


@click.command()
@say_failures
def migrate() -> None:
    """Bring the database up to this version; every start does so, too.

    Exit code 1: the database does not answer, belongs to a newer version, or refused a migration.
    """

    async def run(settings: Settings) -> list[str]:
        if settings.database_url is not None:
            return await asyncio.to_thread(apply_migrations, settings.database_url)
        async with open_database(settings.data_dir / DATABASE) as url:
            return await asyncio.to_thread(apply_migrations, url)

    applied = asyncio.run(run(load_settings()))
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("nothing to apply: the database is up to date")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def doctor(*, as_json: bool) -> None:
    """Say what is configured, reachable and migrated, and how to mend what is wrong.

    Changes nothing. Exit code 1: there is a problem.
    """
    findings = asyncio.run(_examine(as_json=as_json))
    healthy = all(finding.status != "problem" for finding in findings)
    if as_json:
        report = {"ok": healthy, "findings": [asdict(finding) for finding in findings]}
        click.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        click.echo("Everything is in order." if healthy else "Something has to be mended, see above.")
    sys.exit(0 if healthy else 1)


async def _examine(*, as_json: bool) -> list[Finding]:
    findings = []
    try:
        settings = load_settings()
    except SettingsError as error:
        mend = "correct it in the environment or in .env"
        findings = [Finding("settings", "problem", line, mend) for line in error.lines]
        if not as_json:
            for finding in findings:
                click.echo(_line(finding))
        return findings
    async for finding in examine(settings, SystemClock()):
        findings.append(finding)
        if not as_json:
            click.echo(_line(finding))
    return findings


def _line(finding: Finding) -> str:
    mend = f" → {finding.mend}" if finding.mend else ""
    return f"{MARKS[finding.status]} {finding.about}: {finding.what}{mend}"


COMMANDS = [migrate, doctor]
