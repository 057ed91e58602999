"""`clerestory simulate`: devices that are not there, from recordings, over the site's broker."""

import asyncio
import base64
import binascii
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from clerestory.demo.secrets import demo_secrets
from clerestory.failures import say_failures
from clerestory.simulate.bins import bins_timeline, read_collections
from clerestory.simulate.elevator import elevator_timeline, read_samples
from clerestory.simulate.kiosk import KioskIdentity, KioskUnanswered, SimulatedKiosk
from clerestory.simulate.play import compressed, play, publish
from clerestory.simulate.target import (
    NothingToSpeakFor,
    bins_for,
    broker_url,
    elevator_for,
    open_target,
    radios_for,
    renamed,
    speaking,
)
from clerestory.simulate.timeline import RecordingUnreadable
from clerestory.simulate.uplinks import assigned, publication, read_uplinks, retimed
from clerestory.stopping import stop_on_signals
from config.clock import SystemClock
from config.settings import Settings, load_settings
from gateway.link import LinkFailed

P = ParamSpec("P")
T = TypeVar("T")
FAILURES = (NothingToSpeakFor, RecordingUnreadable, KioskUnanswered, LinkFailed)
STOP_AGAIN_SECONDS = 0.5
PRIVATE_KEY_BYTES = 32
READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Aim:
    """What every simulation needs to know."""

    settings: Settings
    clock: SystemClock
    mqtt: str
    community: str


def _aimed(command: Callable[P, T]) -> Callable[P, T]:
    """Add the options every simulation has."""
    community = click.option(
        "--community", default="mingyue", show_default=True, help="Code of the community."
    )
    return click.option("--mqtt", help="The broker's address; unset: the site's.")(community(command))


def _run(mqtt: str | None, community: str, body: Callable[[Aim], Coroutine[None, None, None]]) -> None:
    """Run a simulation until it ends or Ctrl-C, and say failures in a line."""
    try:
        settings = load_settings()
        aim = Aim(settings, SystemClock(), broker_url(settings, mqtt), community)
        asyncio.run(_until_stopped(body(aim)))
    except FAILURES as error:
        raise click.ClickException(str(error)) from error


async def _until_stopped(work: Coroutine[None, None, None]) -> None:
    async with stop_on_signals() as stop:
        working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        while not working.done():
            # Again until it ends: what is being closed just then may take a cancellation for its own.
            working.cancel()
            await asyncio.wait([working], timeout=STOP_AGAIN_SECONDS)
        if not working.cancelled():
            working.result()


@click.group()
def simulate() -> None:
    """Speak for devices that are not there, from recordings, over the site's broker."""


@simulate.command("bins")
@click.option("--from", "file", type=READABLE, required=True, help="Recorded collections (CSV).")
@click.option("--speed", type=click.FloatRange(min=0.01), default=60.0, show_default=True)
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Only this recorded day (UTC); unset: all.")
@click.option("--register", is_flag=True, help="Make a bin and its device for every recorded site.")
@_aimed
@say_failures
def bins(
    mqtt: str | None, community: str, file: Path, speed: float, day: datetime | None, *, register: bool
) -> None:
    """Publish what sensors would have said between recorded collections, SPEED times as fast.

    Sites speak as the community's own bins, as many as it has; with --register each becomes a bin of its own,
    until the community is loaded again. Times are compressed onto the clock, starting now.
    """
    _run(mqtt, community, lambda aim: _bins(aim, file, speed, day, register=register))


async def _bins(aim: Aim, file: Path, speed: float, day: datetime | None, *, register: bool) -> None:
    collections = read_collections(file)
    first = day.replace(tzinfo=UTC) if day else None
    last = first + timedelta(days=1) if first else None
    async with speaking(aim.mqtt) as publisher:
        async with open_target(aim.settings, aim.clock, aim.community) as target:
            names = await bins_for(target, collections, register=register)
        reports = renamed(bins_timeline(collections, first=first, last=last), names)
        timed = compressed(reports, aim.clock.now(), speed)
        count = await play(publisher, aim.community, timed, aim.clock)
    click.echo(f"{count} messages of {len(names)} bins")


@simulate.command("elevator")
@click.option("--from", "file", type=READABLE, required=True, help="Recorded car door at 4 Hz (CSV).")
@click.option("--speed", type=click.FloatRange(min=0.01), default=60.0, show_default=True)
@click.option("--device", help="Code of the elevator's device; unset: the community's first.")
@click.option(
    "--window", type=click.FloatRange(min=0.25), default=5.0, show_default=True, help="Seconds a message."
)
@_aimed
@say_failures
def elevator(
    mqtt: str | None, community: str, file: Path, speed: float, device: str | None, window: float
) -> None:
    """Publish a recorded car door: the highest vibration, mean humidity and last count of each window."""
    _run(mqtt, community, lambda aim: _elevator(aim, file, speed, device, window))


async def _elevator(aim: Aim, file: Path, speed: float, device: str | None, window: float) -> None:
    samples = read_samples(file)
    async with speaking(aim.mqtt) as publisher:
        if device is None:
            async with open_target(aim.settings, aim.clock, aim.community) as target:
                device = await elevator_for(target)
        start = aim.clock.now()
        reports = elevator_timeline(samples, device, start, timedelta(seconds=window))
        count = await play(publisher, aim.community, compressed(reports, start, speed), aim.clock)
    click.echo(f"{count} messages of {device}")


@simulate.command("uplinks")
@click.option(
    "--from",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder of recorded uplinks (JSON).",
)
@click.option("--as-recorded", is_flag=True, help="Keep the recorded times instead of now.")
@click.option(
    "--as-radio", is_flag=True, help="Keep the recorded DevEUI instead of a device of the community."
)
@_aimed
@say_failures
def uplinks(mqtt: str | None, community: str, folder: Path, *, as_recorded: bool, as_radio: bool) -> None:
    """Publish recorded uplinks on the topics of ChirpStack v4 and The Things Stack v3.

    Each speaks as the community's first device of its model (em310-udl, em310-tilt, …) and is received now.
    """
    _run(mqtt, community, lambda aim: _uplinks(aim, folder, as_recorded=as_recorded, as_radio=as_radio))


async def _uplinks(aim: Aim, folder: Path, *, as_recorded: bool, as_radio: bool) -> None:
    recorded = read_uplinks(folder)
    async with speaking(aim.mqtt) as publisher:
        if not as_radio:
            async with open_target(aim.settings, aim.clock, aim.community) as target:
                recorded = list(assigned(recorded, await radios_for(target)))
        if not as_recorded:
            recorded = retimed(recorded, aim.clock.now())
        for uplink in recorded:
            out = publication(uplink)
            await publish(publisher, out.topic, out.payload)
            click.echo(f"{uplink.file.name}: {out.topic}")


@simulate.command("kiosk")
@click.option("--kiosk", default="K1", show_default=True, help="Code of the kiosk.")
@click.option("--key", type=READABLE, help="File with its private key: 32 bytes, base64; unset: the demo's.")
@click.option("--unit", required=True, help="The unit whose newest unpaid bill is paid, e.g. B3-1602.")
@click.option("--amount-fen", type=click.IntRange(min=1), help="Pay this much; unset: all that is unpaid.")
@click.option("--method", type=click.Choice(["cash", "card", "wechat", "alipay"]), default="cash")
@click.option(
    "--repeat", type=click.IntRange(min=0), default=1, show_default=True, help="Send it again so often."
)
@_aimed
@say_failures
def kiosk(
    mqtt: str | None,
    community: str,
    kiosk: str,
    key: Path | None,
    unit: str,
    amount_fen: int | None,
    method: str,
    repeat: int,
) -> None:
    """Ask for a unit's bill and pay it over MQTT, as a kiosk does; prints the answer and the receipts."""
    _run(mqtt, community, lambda aim: _kiosk(aim, kiosk, key, unit, amount_fen, method, repeat))


async def _kiosk(
    aim: Aim, kiosk: str, key: Path | None, unit: str, amount_fen: int | None, method: str, repeat: int
) -> None:
    if key is None:
        private_key = _demo_key(aim.settings.data_dir, kiosk)
    else:
        private_key = _private_key(await asyncio.to_thread(key.read_bytes), key)
    identity = KioskIdentity(aim.community, kiosk, private_key)
    async with SimulatedKiosk.connected(aim.mqtt, identity, aim.clock) as machine:
        bill = await machine.ask(unit=unit)
        click.echo(json.dumps(bill, ensure_ascii=False))
        if bill["status"] != "found":
            return
        payment = machine.payment(bill, amount_fen, method)
        for _ in range(1 + repeat):
            click.echo(json.dumps(await machine.pay(payment), ensure_ascii=False))


def _demo_key(directory: Path, kiosk: str) -> str:
    kept = demo_secrets(directory)
    if kept is None:
        raise click.BadParameter(
            f"is needed: {directory} holds no demo whose kiosks' keys are known", param_hint="--key"
        )
    if kiosk not in kept.kiosks:
        raise click.BadParameter(f"{kiosk}: the demo has {', '.join(kept.kiosks)}", param_hint="--kiosk")
    return kept.kiosks[kiosk]


def _private_key(written: bytes, file: Path) -> str:
    try:
        fits = len(base64.b64decode(written.strip(), validate=True)) == PRIVATE_KEY_BYTES
    except binascii.Error:
        fits = False
    if not fits:
        raise click.BadParameter(
            f"{file} should hold {PRIVATE_KEY_BYTES} bytes in base64: one line of 44 characters",
            param_hint="--key",
        )
    return written.strip().decode("ascii")


COMMANDS = [simulate]
