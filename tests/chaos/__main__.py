"""`make chaos`: rounds of random trouble against the real thing, each compared with the oracle.

A round is replayed by its seed: `--rounds 1 --seed N` with the same other options.
"""

import asyncio
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tests.chaos.act import Plan, Result, Theatre
from tests.chaos.cast import FULL, SMALL

SIZES = {"small": (SMALL, 4, 3.0), "full": (FULL, 8, 10.0)}
"""Size, faults a round, and how long the database is stopped (s)."""


def plan_of(seed: int, gateways: int, size: str, *, standby: bool = False) -> Plan:
    """The round of a seed."""
    shape, count, stop = SIZES[size]
    return Plan(seed, gateways, shape, count, stop, standby=standby)


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Of the first round; each next has one more."
)
@click.option(
    "--gateways",
    type=click.Choice(["1", "2", "4", "2,4", "all"]),
    default="1",
    show_default=True,
    help="How many share the messages; 2,4 and all (1, 2 and 4): in turn.",
)
@click.option("--standby", is_flag=True, help="Several gateways hear everything each, instead of sharing.")
@click.option("--size", type=click.Choice(sorted(SIZES)), default="full", show_default=True)
@click.option(
    "--json", "report", type=click.Path(dir_okay=False, path_type=Path), help="Write a line a round."
)
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep logs and data here.")
def main(
    *,
    rounds: int,
    seed: int,
    gateways: str,
    standby: bool,
    size: str,
    report: Path | None,
    keep: Path | None,
) -> None:
    """Break everything at random; exit code 1 says that something was lost, doubled or wrong."""
    counts = [1, 2, 4] if gateways == "all" else [int(each) for each in gateways.split(",")]
    plans = [
        plan_of(seed + n, counts[(seed + n) % len(counts)], size, standby=standby) for n in range(rounds)
    ]
    results = asyncio.run(_play(plans, report, keep))
    click.echo(table(results))
    sys.exit(not all(result.clean for result in results))


async def _play(plans: Sequence[Plan], report: Path | None, keep: Path | None) -> list[Result]:
    results = []
    with TemporaryDirectory(prefix="clerestory-chaos-", dir="/tmp") as made:
        directory = keep or Path(made)
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o711)
        async with Theatre.opened(directory) as theatre:
            for plan in plans:
                result = await theatre.play(plan)
                results.append(result)
                click.echo(_line(result))
                if report is not None:
                    with report.open("a", encoding="utf-8") as file:
                        file.write(f"{json.dumps(dataclasses.asdict(result), default=str)}\n")
    return results


def _line(result: Result) -> str:
    plan = result.plan
    verdict = "exact" if result.clean else "\n  ".join(["WRONG", *result.words])
    broke = ", ".join(f"{kind} ×{count}" for kind, count in sorted(result.faults.items()))
    return (
        f"seed {plan.seed}, {plan.gateways} gateway(s), {result.seconds:.0f} s: {result.messages} messages"
        f" sent {result.sent} times, {result.alarms} alarms, {result.orders} orders,"
        f" {result.receipts} receipts; {broke}: {verdict}"
    )


def table(results: Sequence[Result]) -> str:
    """The rounds in one table, for docs/reliability.md."""
    lines = ["| | 1 gateway | 2 gateways | 4 gateways | together |", "|---|---|---|---|---|"]
    groups = [[r for r in results if r.plan.gateways == n] for n in (1, 2, 4)] + [list(results)]
    for name, title in (
        ("messages", "different messages"),
        ("sent", "publications acknowledged"),
        ("readings", "readings and events that must exist"),
        ("alarms", "alarms"),
        ("orders", "orders"),
        ("payments", "payments"),
        ("receipts", "receipts and refusals handed out"),
        ("letters", "hostile messages"),
        ("lost", "lost"),
        ("doubled", "doubled or wrong"),
        ("early", "told before what had ended it came"),
        ("never", "told of what, when all was known, never was"),
    ):
        sums = [sum(getattr(result, name) for result in group) for group in groups]
        lines.append(f"| {title} | " + " | ".join(f"{each:,}" for each in sums) + " |")
    for kind in sorted({kind for result in results for kind in result.faults}):
        sums = [sum(result.faults.get(kind, 0) for result in group) for group in groups]
        lines.append(f"| {kind} | " + " | ".join(f"{each:,}" for each in sums) + " |")
    rounds = " | ".join(f"{len(group)} ({sum(r.clean for r in group)} exact)" for group in groups)
    lines.insert(2, f"| rounds | {rounds} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
