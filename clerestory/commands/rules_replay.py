"""`clerestory rules replay`: try changed rules on what is stored, before switching them on."""

import asyncio
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import msgspec

from clerestory.failures import say_failures
from clerestory.replay_words import report_lines
from clerestory.site import open_site
from config.clock import SystemClock
from config.duration import parse_duration
from config.settings import load_settings
from dispatch.foreseeing import foresee
from dispatch.foresight import Foresight
from rules.compile import compile_text
from rules.document import RuleFileError
from rules.replay import store
from rules.replay.crew import Done, Order, ReplayFailed, Tell, replay
from rules.sources import Source, class_of, file_for_class, put_in, read_sources

SHOWN = 20


class Moment(click.ParamType[datetime | timedelta]):
    """A date, a moment, or how long ago: 2026-10-01, 2026-10-01T08:00+08:00, 30d."""

    name = "moment"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime | timedelta:
        if isinstance(value, datetime | timedelta):
            return value
        text = str(value)
        try:
            return parse_duration(text)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(
                f"{text!r} is no moment; write it like 2026-10-01, 2026-10-01T08:00+08:00 or 30d", param, ctx
            )
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Span(click.ParamType[timedelta]):
    """A duration: 90s, 5m, 36h, 15d."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for on the command line."""

    rules: Path
    replaces: str | None
    start: datetime | timedelta
    end: datetime | timedelta
    community: str | None
    warm_up: timedelta | None
    processes: int | None


@click.command("replay")
@click.option(
    "--rules",
    "file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The changed rule file; it stands in for the one in use.",
)
@click.option(
    "--replaces",
    metavar="NAME",
    help="The rule file it stands in for; else the shipped one of its asset class.",
)
@click.option(
    "--from", "start", type=Moment(), default="30d", show_default=True, help="A moment, or how long ago."
)
@click.option("--to", "end", type=Moment(), default="0s", help="A moment, or how long ago.  [default: now]")
@click.option("--community", help="Only this community, by its code.")
@click.option(
    "--warm-up",
    type=Span(),
    help="How long before --from the rules start; else by the longest span they count.",
)
@click.option(
    "--processes", type=click.IntRange(1, 64), help="How many processes share the work; else one a core."
)
@click.option("--all", "everything", is_flag=True, help=f"List every change, not the first {SHOWN}.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
@say_failures
def replay_command(
    file: Path,
    replaces: str | None,
    start: datetime | timedelta,
    end: datetime | timedelta,
    community: str | None,
    warm_up: timedelta | None,
    processes: int | None,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    """Run changed rules over stored history and show which alarms would be new, gone or different.

    They are compared with what today's rules give on the same history, and with what was recorded. Nothing is
    changed. The 1st of a month without a zone is midnight UTC.
    """
    asked = Asked(file, replaces, start, end, community, warm_up, processes)
    try:
        found = asyncio.run(_replay(asked))
    except ReplayFailed as failure:
        raise click.ClickException(f"the replay failed: {failure}") from failure
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    for line in report_lines(found, None if everything else SHOWN):
        click.echo(line)


async def _replay(asked: Asked) -> Foresight:
    clock, settings = SystemClock(), load_settings()
    now = clock.now()
    start, end = (now - each if isinstance(each, timedelta) else each for each in (asked.start, asked.end))
    if start >= end:
        raise click.UsageError(f"--from {start:%Y-%m-%d %H:%M}Z is not before --to {end:%Y-%m-%d %H:%M}Z")
    async with open_site(settings, clock, broker=False) as site:
        old = site.rules.known.sources
        changed = changed_source(asked.rules, asked.replaces, old)
        async with site.pool.connection() as conn:
            known = await store.communities(conn)
        if asked.community is not None and asked.community not in known:
            raise click.UsageError(
                f"no community {asked.community!r}; there are: {', '.join(known) or 'none'}"
            )
        order = Order(
            old,
            put_in(old, changed),
            classes_of((changed, *(each for each in old if each.name == changed.name))),
            start,
            min(end, now),
            asked.community,
            asked.warm_up,
        )
        with _progress() as tell:
            report = await replay(site.database_url, order, tell, processes=asked.processes)
        async with site.pool.connection() as conn:
            return await foresee(conn, order, report, now)


def changed_source(file: Path, replaces: str | None, known: Sequence[Source]) -> Source:
    """The changed file under the name of the one it stands in for; raises RuleFileError for its mistakes."""
    text = read_sources([file])[0].text
    compiled = compile_text(text, str(file))
    if compiled.rules is None or compiled.problems:
        raise RuleFileError(compiled.problems)
    names = {source.name for source in known}
    if replaces is None:
        replaces = file_for_class(known, compiled.rules.asset_class) or file.stem
    elif replaces not in names:
        raise click.UsageError(f"no rule file {replaces!r} is in use; there are: {', '.join(sorted(names))}")
    return Source(replaces, str(file), text)


def classes_of(sources: Iterable[Source]) -> tuple[str, ...]:
    """The asset classes that rule files are for."""
    return tuple(sorted({found for each in sources if (found := class_of(each)) is not None}))


@contextmanager
def _progress() -> Iterator[Tell]:
    """Show on standard error how far it is: in place on a terminal, else a line at every tenth."""
    terminal, last = sys.stderr.isatty(), -1

    def tell(done: Done) -> None:
        nonlocal last
        percent = int(100 * done.share)
        if terminal:
            click.echo(f"\r{percent:3d} %  {done.readings:,} readings", nl=False, err=True)
        elif percent // 10 > last:
            last = percent // 10
            click.echo(f"{percent:3d} %  {done.readings:,} readings", err=True)

    yield tell
    if terminal:
        click.echo("\r\033[K", nl=False, err=True)
