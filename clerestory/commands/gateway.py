"""`clerestory gateway` runs the gateway alone; `clerestory deadletters` looks after what it refused."""

import asyncio
import sys

import click
import uvloop

from clerestory.batch import Outcome
from clerestory.door import try_metrics
from clerestory.failures import say_failures
from clerestory.ingest import Ingest, TakenBefore, UnknownLetter
from clerestory.logs import begin_logging
from clerestory.pipeline import make_ingest, run_gateway
from clerestory.seeing.listener import seen
from clerestory.site import open_site
from clerestory.stopping import stop_on_signals
from config.clock import SystemClock
from config.settings import Settings, load_settings, without_password
from gateway import store
from gateway.refusals import REASONS, Refusal
from gateway.store import KeptLetter

PREVIEW = 400

Retried = Outcome | TakenBefore


@click.command()
@click.option(
    "--share",
    metavar="NAME",
    help="Share the messages with all gateways that give the same name; default: CLERESTORY_MQTT_SHARE.",
)
@say_failures
def gateway(share: str | None) -> None:
    """Hear the sensors and kiosks, until stopped with Ctrl-C or SIGTERM.

    Start as many as you like, on as many machines, with the same --share and the same database: each message
    goes to one of them, and which one makes no difference.
    """
    settings = load_settings() if share is None else load_settings(mqtt_share=share)
    begin_logging(settings)
    uvloop.run(_gateway(settings))


async def _gateway(settings: Settings) -> None:
    await try_metrics(settings)
    async with (
        stop_on_signals() as stop,
        open_site(settings, SystemClock()) as site,
        seen(site, "gateway"),
    ):
        click.echo(f"gateway listens to {without_password(site.mqtt_url)}")
        await run_gateway(site, stop)


@click.group()
def deadletters() -> None:
    """Messages that were not taken, each with the reason."""


@deadletters.command("list")
@click.option("--all", "resolved", is_flag=True, help="Also those that were taken after all.")
@click.option("--reason", type=click.Choice(sorted(REASONS)), help="Only those refused for this reason.")
@click.option("--topic", help="Only those whose topic contains this.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@say_failures
def list_letters(*, resolved: bool, reason: str | None, topic: str | None, limit: int) -> None:
    """List dead letters, newest first."""
    found = asyncio.run(_list(load_settings(), resolved=resolved, reason=reason, topic=topic, limit=limit))
    for letter in found:
        done = f"  taken at {letter.resolved_at:%Y-%m-%d %H:%M:%S}Z" if letter.resolved_at else ""
        click.echo(f"{letter.id}  {letter.received_at:%Y-%m-%d %H:%M:%S}Z  {letter.topic}{done}")
        click.echo(f"    {letter.reason} ({letter.said}): {letter.detail}")
    if not found:
        click.echo("no dead letters")


async def _list(
    settings: Settings, *, resolved: bool, reason: str | None, topic: str | None, limit: int
) -> list[KeptLetter]:
    async with open_site(settings, SystemClock(), broker=False) as site, site.pool.connection() as conn:
        return await store.letters(conn, resolved=resolved, reason=reason, topic=topic, limit=limit)


@deadletters.command()
@click.argument("letter_id", metavar="ID", type=int)
@click.option("--raw", is_flag=True, help="Write only the payload, byte for byte.")
@say_failures
def show(letter_id: int, *, raw: bool) -> None:
    """Show one dead letter with its payload."""
    letter = asyncio.run(_show(load_settings(), letter_id))
    if letter is None:
        raise click.ClickException(f"there is no dead letter {letter_id}; see: clerestory deadletters list")
    if raw:
        sys.stdout.buffer.write(letter.payload)
        return
    click.echo(f"dead letter {letter.id}")
    click.echo(f"received  {letter.received_at.isoformat()}")
    click.echo(f"topic     {letter.topic}")
    click.echo(f"reason    {letter.reason} ({letter.said})")
    click.echo(f"detail    {letter.detail}")
    click.echo(f"taken     {letter.resolved_at.isoformat() if letter.resolved_at else 'not yet'}")
    click.echo(f"payload   {len(letter.payload)} bytes")
    click.echo(_preview(letter.payload))


def _preview(payload: bytes) -> str:
    try:
        text = payload[:PREVIEW].decode()
    except UnicodeDecodeError:
        text = payload[: PREVIEW // 2].hex(" ")
    more = " …" if len(payload) > PREVIEW else ""
    return (
        "".join(each if each.isprintable() or each == "\n" else f"\\x{ord(each):02x}" for each in text) + more
    )


async def _show(settings: Settings, letter_id: int) -> KeptLetter | None:
    async with open_site(settings, SystemClock(), broker=False) as site, site.pool.connection() as conn:
        return await store.letter(conn, letter_id)


@deadletters.command()
@click.argument("letter_ids", metavar="[ID]…", type=int, nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every dead letter that waits.")
@click.option("--reason", type=click.Choice(sorted(REASONS)), help="Every one refused for this reason.")
@say_failures
def retry(letter_ids: tuple[int, ...], *, every: bool, reason: str | None) -> None:
    """Take dead letters again, as if each had just arrived, and say what became of them.

    Exit code 1: at least one was refused again.
    """
    if sum([bool(letter_ids), every, reason is not None]) != 1:
        raise click.UsageError("name dead letters by ID, or give --all, or --reason")
    outcomes = asyncio.run(_retry(load_settings(), letter_ids, reason))
    for letter_id, outcome in outcomes:
        click.echo(f"{letter_id}  {_said(outcome)}")
    if not outcomes:
        click.echo("no dead letters")
    if any(isinstance(outcome, Refusal) for _, outcome in outcomes):
        raise SystemExit(1)


def _said(outcome: Retried) -> str:
    if isinstance(outcome, TakenBefore):
        return f"was taken before, at {outcome.at:%Y-%m-%d %H:%M:%S}Z"
    if outcome is None:
        return "taken"
    text = REASONS[outcome.reason]
    return f"refused again: {outcome.reason} ({text.zh} / {text.en}): {outcome.detail}"


async def _retry(
    settings: Settings, letter_ids: tuple[int, ...], reason: str | None
) -> list[tuple[int, Retried]]:
    async with open_site(settings, SystemClock(), broker=False) as site:
        if not letter_ids:
            async with site.pool.connection() as conn:
                letter_ids = tuple(await store.waiting_letters(conn, reason))
        ingest = make_ingest(site)
        try:
            return [(letter_id, await _retry_one(ingest, letter_id)) for letter_id in letter_ids]
        except UnknownLetter as unknown:
            raise click.ClickException(str(unknown)) from unknown


async def _retry_one(ingest: Ingest, letter_id: int) -> Retried:
    try:
        return await ingest.retry(letter_id)
    except TakenBefore as before:
        return before


COMMANDS = [gateway, deadletters]
