"""`clerestory rules`: check rule files, and try rules on a timeline."""

from pathlib import Path

import click

from clerestory.commands.rules_replay import replay_command
from clerestory.commands.rules_switch import COMMANDS as SWITCHING
from rules.book import load_rulebook, shipped_rules
from rules.document import RuleFileError
from rules.scenario import Outcome, run_file

_FILES = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def rules() -> None:
    """Check rule files, try rules on a timeline or on what is stored, and switch them on."""


for each in (replay_command, *SWITCHING):
    rules.add_command(each)


@rules.command()
@click.argument("files", metavar="[FILE]...", nargs=-1, type=_FILES)
def check(files: tuple[Path, ...]) -> None:
    """Find every mistake in rule files (YAML), with line and column; in the shipped ones without FILE.

    Also found: conditions that can never be true or always are, and clearing that contradicts raising.
    Exit code 1: there are mistakes.
    """
    paths = files or shipped_rules()
    try:
        book = load_rulebook(paths)
    except RuleFileError as error:
        _say_problems(error)
        raise SystemExit(1) from None
    click.echo(f"{_count(len(book.rules), 'rule')} in {_count(len(paths), 'file')}: no mistakes.")


@rules.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=_FILES)
def test(files: tuple[Path, ...]) -> None:
    """Run scenarios (YAML): a timeline of what a device says, and the exact alarms it should give.

    Prints what is missing (-) and what is too much (+). Exit code 1: a scenario gave something else, or a
    file has mistakes.
    """
    wrong = count = 0
    for file in files:
        try:
            outcomes = run_file(file)
        except RuleFileError as error:
            _say_problems(error)
            raise SystemExit(1) from None
        count += len(outcomes)
        for outcome in outcomes:
            wrong += not outcome.is_right
            _say_outcome(file, outcome)
    click.echo(f"{_count(count, 'scenario')}, {wrong} not as expected.")
    if wrong:
        raise SystemExit(1)


def _say_problems(error: RuleFileError) -> None:
    for problem in error.problems:
        click.echo(str(problem), err=True)
    click.echo(f"{_count(len(error.problems), 'mistake')}.", err=True)


def _say_outcome(file: Path, outcome: Outcome) -> None:
    if outcome.is_right:
        click.echo(f"ok    {outcome.name}")
        return
    click.echo(f"WRONG {outcome.name} ({file})")
    for line in outcome.difference():
        click.echo(f"        {line}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


COMMANDS = [rules]
