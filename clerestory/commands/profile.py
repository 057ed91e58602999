"""`clerestory profile`: list, show and check device profiles, and try one on a sample."""

import json
import sys
from pathlib import Path

import click

from clerestory.failures import say_failures
from clerestory.profile_trial import Trial, attempt
from config.clock import SystemClock
from config.profile_files import ProfileFileError, read_profile
from config.profiles import Profile, load_profiles, use_site_profiles
from config.settings import load_settings
from config.signal_words import value_text
from config.vocabulary import load_vocabulary
from gateway.refusals import REASONS, Refused

_FILES = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def profile() -> None:
    """Device profiles: how each make of device speaks. Your own: *.yaml in CLERESTORY_PROFILES_DIR."""


@profile.command("list")
@say_failures
def list_profiles() -> None:
    """List every profile, shipped and your own."""
    known = _site()
    for name in known:
        each = known[name]
        about = each.asset_class or "no asset"
        click.echo(f"{name}\t{each.envelope}\t{about}\t{each.label.zh} / {each.label.en}")


@profile.command()
@click.argument("which", metavar="PROFILE")
@say_failures
def show(which: str) -> None:
    """Show what a profile (by name, or a file of yours) understands."""
    found = _named(which)
    click.echo(f"{found.name}: {found.label.zh} / {found.label.en}")
    click.echo(f"about     {found.asset_class or 'no asset'}, by {found.envelope} messages")
    if found.decoder is not None:
        click.echo(f"decoder   {found.decoder}, where the network server has none")
    if found.report_interval is not None or found.stale_after is not None:
        click.echo(f"expected  every {found.report_interval or '?'}, silent after {found.stale_after or '?'}")
    for name, field in found.fields.items():
        how = [f"from {field.unit}"] if field.unit else []
        how += [f"× {field.scale:g}"] if field.scale != 1 else []
        how += [f"+ {field.offset:g}"] if field.offset else []
        how += [f"{field.span[0]:g} to {field.span[1]:g} is 0 to 100"] if field.span else []
        how += [", ".join(f"{key}: {value}" for key, value in field.values.items())] if field.values else []
        click.echo(f"field     {name} → {field.signal}" + (f" ({'; '.join(how)})" if how else ""))
    if found.fill is not None:
        attributes = f"{found.fill.empty_attribute}, {found.fill.full_attribute}"
        click.echo(f"fill      from {found.fill.field}, with attributes {attributes}")
    for name, event in found.field_events.items():
        click.echo(f"event     {name} = {json.dumps(event.when)} → {event.event}")
    for code, happening in found.codes.items():
        mode = f", service_mode {found.modes[code]}" if code in found.modes else ""
        click.echo(f"code      {code} → {happening}{mode}")


@profile.command()
@click.argument("files", metavar="[FILE]…", nargs=-1, type=_FILES)
@say_failures
def check(files: tuple[Path, ...]) -> None:
    """Find every mistake in profile files, with line and column; in all of the site's without FILE.

    Exit code 1: there are mistakes.
    """
    if not files:
        known = _site()
        click.echo(f"{len(known)} profiles: no mistakes.")
        return
    lines: list[str] = []
    for path in files:
        try:
            read_profile(path)
        except ProfileFileError as error:
            lines += error.lines
    for line in lines:
        click.echo(line, err=True)
    if lines:
        raise click.ClickException(f"{len(lines)} mistake{'' if len(lines) == 1 else 's'}")
    click.echo(f"{len(files)} file{'' if len(files) == 1 else 's'}: no mistakes.")


@profile.command()
@click.argument("which", metavar="PROFILE")
@click.argument("sample", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--attribute",
    "attributes",
    metavar="NAME=NUMBER",
    multiple=True,
    help="An attribute that the device or its asset has, e.g. empty_distance_mm=1200; repeatable.",
)
@say_failures
def test(which: str, sample: Path, attributes: tuple[str, ...]) -> None:
    """Show what SAMPLE would be understood as by PROFILE (a name, or a file of yours).

    SAMPLE ("-" reads standard input) is a whole uplink as ChirpStack or The Things Stack publishes it, a bare
    payload (JSON, or hexadecimal where the profile has a decoder), a native message, or a list of vendor's
    codes. Exit code 1: it would be refused; the reason is the dead letter's.
    """
    found = _named(which)
    content = sys.stdin.buffer.read() if str(sample) == "-" else sample.read_bytes()
    try:
        trial = attempt(found, content, _attributes(attributes), SystemClock().now())
    except Refused as refused:
        text = REASONS[refused.reason]
        click.echo(f"refused: {refused.reason} ({text.zh} / {text.en})")
        click.echo(f"    {refused.detail}")
        raise SystemExit(1) from None
    _say(found, trial)


def _say(found: Profile, trial: Trial) -> None:
    click.echo(f"{found.name}: understood as {trial.read_as}")
    signals = load_vocabulary().signals(found.asset_class) if found.asset_class else {}
    for reading in trial.heard.readings:
        signal = signals[reading.signal]
        text = value_text(signal, reading.value)
        unit = f" {signal.unit}" if signal.unit else ""
        words = text.en if text.en == text.zh else f"{text.zh} / {text.en}"
        click.echo(
            f"  reading  {reading.signal} = {words}{unit}  ({signal.label.zh})  at {reading.ts.isoformat()}"
        )
    for event in trial.heard.events:
        label = load_vocabulary().events[event.code].label
        detail = f"  {event.detail}" if event.detail else ""
        click.echo(f"  event    {event.code}  ({label.zh} / {label.en}){detail}  at {event.ts.isoformat()}")
    if not trial.heard.readings and not trial.heard.events:
        click.echo("  nothing but a sign of life")
    if trial.without_fill:
        missing = " ".join(f"--attribute {name}=…" for name in trial.without_fill)
        click.echo(f"  note     fill_percent needs the bin's distances; try {missing}")
    if trial.unused:
        click.echo(f"  note     not used: {', '.join(trial.unused)}; map them under fields, or leave them")


def _attributes(written: tuple[str, ...]) -> dict[str, object]:
    found: dict[str, object] = {}
    for each in written:
        name, equals, value = each.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            equals = ""
        if not equals or not name:
            raise click.BadParameter(f"{each!r}; right would be NAME=NUMBER", param_hint="--attribute")
    return found


def _named(which: str) -> Profile:
    if which.endswith(".yaml"):
        return read_profile(Path(which))
    known = _site()
    if which not in known:
        names = ", ".join(known)
        raise click.BadParameter(
            f"no profile {which!r}; there are: {names}; or a file of yours ending in .yaml"
        )
    return known[which]


def _site() -> dict[str, Profile]:
    use_site_profiles(load_settings().profiles_dir)
    return load_profiles().by_name


COMMANDS = [profile]
