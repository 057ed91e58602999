"""Keeping a running broker up to date: files written at every change, and the broker told until it heard."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import click
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from clerestory.brokering import CannotWrite, Written, reload, write
from clerestory.site import Site
from clerestory.stopping import stop_on_signals
from config.tasks import end
from gateway.mosquitto import CONFIGURATION, Layout
from storage.notify import listen

# A word may be missed, and a technician leaves on a day without one.
LOOK_AGAIN = 60.0
TRY_AGAIN = 2.0


@dataclass(frozen=True, slots=True)
class Job:
    """Where the files go, whose they are, and whom to tell: a process id, or a file with one."""

    layout: Layout
    out: Path
    owner: str | None
    reload: str | None


async def keep_written(site: Site, job: Job) -> None:
    """Write again at every change, until told to stop; raise what it fails with for good."""
    async with stop_on_signals() as stop:
        click.echo("watching; Ctrl-C ends it")
        working = asyncio.create_task(_work(site, job))
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait([working, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if working.done():
            working.result()
        await end(working)


async def _work(site: Site, job: Job) -> None:
    """Write, and tell the broker until it has heard it: it may be starting, or away for a while."""
    word = asyncio.Event()
    listening = asyncio.create_task(_listen(site, word))
    trouble, told = "", job.reload is None
    try:
        while True:
            word.clear()
            try:
                written = await write(site, job.layout, job.out, job.owner)
                if written.changed:
                    click.echo(said(written, job.out))
                    told = job.reload is None
                if not told and job.reload is not None:
                    tell(job.reload, written)
                told, trouble = True, ""
            except (CannotWrite, OperationalError, PoolTimeout) as error:
                if str(error) != trouble:  # an outage is said once
                    trouble = str(error)
                    click.echo(f"{trouble.strip()}; trying again", err=True)
            await _wait(word, TRY_AGAIN if trouble else LOOK_AGAIN)
    finally:
        await end(listening)


async def _wait(word: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await word.wait()
    except TimeoutError:
        return


async def _listen(site: Site, word: asyncio.Event) -> None:
    async with aclosing(listen(site.database_url)) as changes:
        async for change in changes:
            if change.what in {"registry", "connected", "reconnected"}:
                word.set()


def said(written: Written, out: Path) -> str:
    """Say what was written where."""
    accounts = f"{written.accounts} account{'' if written.accounts == 1 else 's'}"
    if not written.changed:
        return f"{out}: nothing to change, {accounts}"
    return f"{out}: wrote {', '.join(written.changed)}, {accounts}"


def _pid(text: str) -> int:
    """A process id, or the one in a file."""
    if not text.isdigit():
        try:
            text = Path(text).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise CannotWrite(f"--reload {text}: {error.strerror}") from error
    if not text.isdigit():
        raise CannotWrite(f"--reload {text!r}: should be a process id, or a file with one")
    return int(text)


def tell(reload_: str, written: Written) -> None:
    """Have the broker read its files, and say what it does not read without a restart."""
    if CONFIGURATION in written.changed:
        click.echo(f"{CONFIGURATION} changed: addresses, certificate and limits need a restart of Mosquitto")
    pid = _pid(reload_)
    reload(pid)
    click.echo(f"told Mosquitto ({pid}) to read them")
