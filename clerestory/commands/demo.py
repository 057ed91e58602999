"""`clerestory demo`: see the whole loop, without installing anything else."""

import logging

import click
import uvloop

from clerestory.demo.house import run_demo
from clerestory.demo.once import STUCK, Tally, run_once
from clerestory.failures import say_failures
from config.clock import SystemClock
from config.settings import load_settings


@click.command()
@click.option("--once", is_flag=True, help="Go round the loop once, unattended, and end.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print one JSON object.")
@click.option(
    "--speed",
    type=click.FloatRange(min=1, max=3600),
    default=60.0,
    show_default=True,
    help="How much faster than the clock the bins fill.",
)
@say_failures
def demo(*, once: bool, as_json: bool, speed: float) -> None:
    """Run a sample community: its sensors, its work, its bills, with accounts to look at it.

    It lives in its own servers in the directory `demo` of CLERESTORY_DATA_DIR and touches nothing else. With
    --once it uses a directory that goes away again; exit code 1: a part of the loop did not happen.
    """
    settings = load_settings()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if not once:
        uvloop.run(run_demo(settings, SystemClock(), speed=speed, say=click.echo))
        return
    tally = Tally()
    problems = []
    try:
        uvloop.run(run_once(settings, SystemClock(), tally))
    except STUCK as error:
        problems.append(str(error))
    if as_json:
        click.echo(tally.as_json())
    else:
        for line in tally.lines_of_text():
            click.echo(line)
    problems += tally.missing()
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        raise SystemExit(1)


COMMANDS = [demo]
