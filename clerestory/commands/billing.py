"""`clerestory bill run | void` and `clerestory ledger check`."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from time import monotonic

import click

from billing import ledger
from billing.money import yuan
from billing.period import BadPeriod, Period
from billing.policy import SHIPPED, BadPolicy, load_policy
from billing.postings import LedgerCheck
from billing.run import UNITS_A_CHUNK, Progress, RunReport, UnknownCommunity, run_bills
from billing.voiding import Voided, VoidRefused, void_bill
from clerestory.failures import say_failures
from clerestory.site import open_site
from config.clock import SystemClock
from config.settings import load_settings

LEFT_OUT_SHOWN = 10


@click.group()
def bill() -> None:
    """Issue the month's bills, and void a wrong one."""


@bill.command()
@click.option("--period", required=True, metavar="YYYY-MM", help="The month to bill, e.g. 2026-10.")
@click.option("--community", "communities", multiple=True, metavar="CODE", help="Only this one; may repeat.")
@click.option("--early", is_flag=True, help="Bill a month that is not over, with the evidence so far.")
@click.option("--reissue", is_flag=True, help="Also bill units whose bill of the month was voided.")
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=SHIPPED,
    help="When bills are due (YAML); the shipped file says how.",
)
@click.option(
    "--chunk",
    type=click.IntRange(1, 5000),
    default=UNITS_A_CHUNK,
    show_default=True,
    help="Units committed at once.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
@say_failures
def run(
    period: str,
    communities: tuple[str, ...],
    policy_file: Path,
    chunk: int,
    *,
    early: bool,
    reissue: bool,
    as_json: bool,
) -> None:
    """Issue one bill for each occupied unit that has none for the month.

    Running again issues only what is missing, also after a run was killed. What is left out is listed with
    its reason. Exit code 1: the month or a community cannot be billed, and nothing was issued.
    """

    async def issue() -> RunReport:
        clock = SystemClock()
        async with open_site(load_settings(), clock, broker=False) as site:
            return await run_bills(
                site.pool,
                Period.parse(period),
                clock.now(),
                communities=communities,
                early=early,
                reissue=reissue,
                policy=load_policy(policy_file),
                units_a_chunk=chunk,
                progress=_say_progress(monotonic),
            )

    try:
        report = asyncio.run(issue())
    except (BadPeriod, UnknownCommunity, BadPolicy) as refused:
        raise click.ClickException(str(refused)) from None
    click.echo(_report_json(report) if as_json else _report_text(report))


@bill.command()
@click.argument("number")
@click.option("--community", required=True, metavar="CODE", help="The community of the bill.")
@say_failures
def void(number: str, community: str) -> None:
    """Void bill NUMBER with a credit note; what was paid on it becomes the unit's prepayment.

    The bill stays as it was issued. `clerestory bill run --reissue` bills the unit's month again.
    """

    async def write() -> Voided:
        clock = SystemClock()
        async with (
            open_site(load_settings(), clock, broker=False) as site,
            site.pool.connection() as conn,
            conn.transaction(),
        ):
            return await void_bill(conn, community, number, clock.now())

    try:
        voided = asyncio.run(write())
    except VoidRefused as refused:
        raise click.ClickException(str(refused)) from None
    click.echo(f"{voided.number} is void: credit note {voided.credit_note}, {yuan(voided.total_fen)}")
    if voided.prepaid_fen:
        click.echo(f"  {yuan(voided.prepaid_fen)} that was paid on it is now the unit's prepayment")


@click.group("ledger")
def ledger_group() -> None:
    """Prove the books."""


@ledger_group.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
@say_failures
def check(*, as_json: bool) -> None:
    """Prove that bills, payments and ledger agree to the fen.

    Exit code 1: something does not fit; each line names what, where and both amounts.
    """

    async def prove() -> LedgerCheck:
        async with (
            open_site(load_settings(), SystemClock(), broker=False) as site,
            site.pool.connection() as conn,
        ):
            return await ledger.check(conn)

    found = asyncio.run(prove())
    click.echo(_check_json(found) if as_json else _check_text(found))
    if not found.ok:
        raise SystemExit(1)


def _say_progress(seconds: Callable[[], float]) -> Callable[[Progress], None]:
    started = seconds()

    def say(progress: Progress) -> None:
        rate = progress.issued / max(seconds() - started, 0.001)
        click.echo(
            f"{progress.community}: {progress.units_done} of {progress.units} units, "
            f"{progress.issued} bills ({rate:,.0f}/s)",
            err=True,
        )

    return say


def _report_json(report: RunReport) -> str:
    return json.dumps(
        {"period": str(report.period), "communities": [asdict(one) for one in report.communities]},
        ensure_ascii=False,
    )


def _report_text(report: RunReport) -> str:
    lines: list[str] = []
    for one in report.communities:
        lines.append(
            f"{one.community} {report.period}: {one.issued} bills issued, {one.lines} lines "
            f"({one.lines_with_evidence} with evidence), {yuan(one.total_fen)}; "
            f"{one.already} of {one.units} units had theirs before"
        )
        if one.prepaid_used_fen:
            lines.append(f"  {yuan(one.prepaid_used_fen)} paid from prepayments")
        for reason, count in Counter(left.reason for left in one.left_out).items():
            lines.append(f"  left out, {reason.replace('_', ' ')}: {count}")
            named = [left for left in one.left_out if left.reason == reason]
            lines.extend(f"    {left.unit}: {left.detail}" for left in named[:LEFT_OUT_SHOWN])
            if count > LEFT_OUT_SHOWN:
                lines.append(f"    and {count - LEFT_OUT_SHOWN} more; --json lists all")
    return "\n".join(lines) or "There is no community yet; load one with `clerestory load FILE`."


def _check_json(found: LedgerCheck) -> str:
    return json.dumps({"ok": found.ok, **asdict(found)}, ensure_ascii=False)


def _check_text(found: LedgerCheck) -> str:
    counted = (
        f"{found.bills} bills, {found.payments} payments, {found.transactions} transactions, "
        f"{found.entries} entries; sum {yuan(found.sum_fen)}"
    )
    lines = [counted]
    for one in found.discrepancies:
        amounts = ""
        if one.expected_fen is not None or one.found_fen is not None:
            expected, real = (
                "nothing" if fen is None else yuan(fen) for fen in (one.expected_fen, one.found_fen)
            )
            amounts = f": should be {expected}, is {real}"
        lines.append(f"{one.community}: {one.finding.replace('_', ' ')} {one.subject}{amounts}")
    lines.append("The books fit." if found.ok else f"{len(found.discrepancies)} findings.")
    return "\n".join(lines)


COMMANDS = [bill, ledger_group]
