"""`clerestory worker` and `clerestory verify`."""

import asyncio
import json

import click

from clerestory.door import try_metrics
from clerestory.failures import say_failures
from clerestory.logs import begin_logging
from clerestory.seeing.listener import seen
from clerestory.site import open_site
from clerestory.stopping import stop_on_signals
from clerestory.worker import run_worker
from config.clock import SystemClock
from config.settings import Settings, load_settings
from dispatch.chain import ChainReport, check_chains


@click.command()
@say_failures
def worker() -> None:
    """Dispatch orders, run timers and plans, deliver messages, until Ctrl-C or SIGTERM.

    As many may run as wanted: they share the work, and one of them leads the schedule.
    """
    settings = load_settings()
    begin_logging(settings)
    asyncio.run(_worker(settings))


async def _worker(settings: Settings) -> None:
    await try_metrics(settings)
    async with (
        stop_on_signals() as stop,
        open_site(settings, SystemClock()) as site,
        seen(site, "worker"),
    ):
        click.echo("working; Ctrl-C stops")
        await run_worker(site, stop)


@click.command()
@click.option("--community", metavar="CODE", help="Only this community's chain.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@say_failures
def verify(community: str | None, *, as_json: bool) -> None:
    """Check that every maintenance record is what it was when it was written.

    Walks each community's chain of hashes, the photos, and the columns beside the hashed text, and names the
    first record that does not fit. Exit code 1: something does not fit.
    """
    reports = asyncio.run(_verify(community))
    if community is not None and not reports:
        raise click.BadParameter(f"no community has the code {community!r}", param_hint="--community")
    if as_json:
        click.echo(json.dumps([_as_json(report) for report in reports], ensure_ascii=False))
    else:
        for report in reports:
            click.echo(_as_line(report))
        if not reports:
            click.echo("There is no community yet, so no record; load one with `clerestory load FILE`.")
    if not all(report.ok for report in reports):
        raise SystemExit(1)


async def _verify(community: str | None) -> list[ChainReport]:
    async with (
        open_site(load_settings(), SystemClock(), broker=False) as site,
        site.pool.connection() as conn,
    ):
        return await check_chains(conn, community)


def _as_line(report: ChainReport) -> str:
    if report.fault is None:
        return f"{report.community}: {report.good} records, unbroken"
    if report.broken is None:
        return f"{report.community}: {report.good} records fit, but {report.fault.en}"
    return (
        f"{report.community}: record {report.broken.seq} (order {report.broken.order_number}) does not fit: "
        f"{report.fault.en}; {report.good} before it do"
    )


def _as_json(report: ChainReport) -> dict[str, object]:
    return {
        "community": report.community,
        "ok": report.ok,
        "good": report.good,
        "seq": report.broken.seq if report.broken else None,
        "order": report.broken.order_number if report.broken else None,
        "fault": None if report.fault is None else {"zh": report.fault.zh, "en": report.fault.en},
    }


COMMANDS = [worker, verify]
