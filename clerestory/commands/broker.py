"""`clerestory broker`: Mosquitto's configuration, and who may speak to it."""

import asyncio
import csv
import os
from pathlib import Path, PurePosixPath

import click
from psycopg import AsyncConnection

from clerestory.acting import act_on_site
from clerestory.broker_watch import Job, keep_written, said, tell
from clerestory.brokering import CannotWrite, write
from clerestory.failures import say_failures
from clerestory.logs import begin_logging
from clerestory.site import Site, open_site
from config.clock import SystemClock
from config.settings import load_settings
from gateway.devices import credentials
from gateway.devices.credentials import Issued, OtherRole, Role, Subject
from gateway.devices.issuing import NotIssued, subject_of, without_credential
from gateway.mosquitto import CONFIGURATION, Layout, Listener, Tls

ROLES = ("gateway", "worker", "site", "network_server", "technician", "office", "bridge")
PLAIN_PORT, TLS_PORT, SERVICE_PORT = 1883, 8883, 1884


@click.group()
def broker() -> None:
    """Mosquitto's files and the accounts in them."""


@broker.command("config")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Where the files are written.",
)
@click.option(
    "--installed-at",
    metavar="PATH",
    help="Where DIR is on the broker's machine, if elsewhere (a container, say).",
)
@click.option(
    "--data",
    metavar="PATH",
    default="/var/lib/mosquitto",
    show_default=True,
    help="Where Mosquitto keeps what waits.",
)
@click.option("--host", default="0.0.0.0", show_default=True, help="Address the devices connect to.")  # noqa: S104 - devices come from everywhere
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help=f"Its port; {TLS_PORT} with a certificate, else {PLAIN_PORT}.",
)
@click.option(
    "--service-host",
    default="127.0.0.1",
    show_default=True,
    help="Address for gateways, workers and network servers.",
)
@click.option("--service-port", type=click.IntRange(1, 65535), default=SERVICE_PORT, show_default=True)
@click.option(
    "--tls-cert", metavar="PATH", help="Certificate (PEM) for the devices' address, on the broker's machine."
)
@click.option("--tls-key", metavar="PATH", help="Its key.")
@click.option(
    "--tls-ca", metavar="PATH", help="Chain of authorities, if the certificate's file does not have it."
)
@click.option(
    "--fast",
    is_flag=True,
    help="Save the queue once a second, not after every message; a crash may cost that second.",
)
@click.option("--owner", help="User the files belong to; as root, mosquitto where there is one.")
@click.option(
    "--reload",
    "reload_",
    metavar="PID",
    help="Have a running Mosquitto read them: its process id, or a file with it.",
)
@click.option("--watch", is_flag=True, help="Go on, and write again whenever devices or accounts change.")
@say_failures
def config(
    out: Path,
    installed_at: str | None,
    data: str,
    host: str,
    port: int | None,
    service_host: str,
    service_port: int,
    tls_cert: str | None,
    tls_key: str | None,
    tls_ca: str | None,
    owner: str | None,
    reload_: str | None,
    *,
    fast: bool,
    watch: bool,
) -> None:
    """Write mosquitto.conf, its passwords and its access list into DIR, from the devices and accounts.

    Running it again changes nothing unless a device or an account did. Passwords and access take effect with
    --reload; a change of addresses, certificate or limits needs a restart of Mosquitto.
    """
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key are given together")
    if tls_ca is not None and tls_cert is None:
        raise click.UsageError("--tls-ca belongs to --tls-cert")
    devices = Listener(host, port or (TLS_PORT if tls_cert else PLAIN_PORT))
    services = Listener(service_host, service_port)
    if devices.port == services.port:
        raise click.UsageError(f"--port and --service-port are both {devices.port}; they need one each")
    for name, value in (
        ("--host", host),
        ("--service-host", service_host),
        ("--data", data),
        ("--installed-at", installed_at),
        ("--tls-cert", tls_cert),
        ("--tls-key", tls_key),
        ("--tls-ca", tls_ca),
    ):
        if value is not None and (not value.isprintable() or not value):
            raise click.UsageError(f"{name} {value!r}: should be one line of text")
    layout = Layout(
        directory=PurePosixPath(installed_at or out.resolve()),
        data=PurePosixPath(data),
        devices=devices,
        services=services,
        tls=Tls(tls_cert, tls_key, tls_ca or "") if tls_cert and tls_key else None,
        durable=not fast,
    )
    if layout.tls is None and not _is_loopback(host):
        click.echo("warning: without --tls-cert the devices send their passwords in the clear", err=True)
    try:
        asyncio.run(_config(Job(layout, out, owner, reload_), watch=watch))
    except CannotWrite as error:
        raise click.ClickException(str(error)) from error


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")


async def _config(job: Job, *, watch: bool) -> None:
    settings = load_settings()
    if watch:
        begin_logging(settings)
    async with open_site(settings, SystemClock(), broker=False) as site:
        written = await write(site, job.layout, job.out, job.owner)
        click.echo(said(written, job.out))
        if watch:
            await keep_written(site, job)
        elif job.reload is not None:
            tell(job.reload, written)
        elif written.changed:
            path = job.layout.directory / CONFIGURATION
            click.echo(f"start: mosquitto -c {path}; if it runs, kill -HUP its process")


@broker.command()
@click.argument("name", required=False)
@click.option("--role", type=click.Choice(ROLES), help="What NAME is; not for a device.")
@click.option(
    "--missing", metavar="COMMUNITY", help="Every device of COMMUNITY that has none yet; needs --out."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write names and passwords into this file (CSV, readable by you alone).",
)
@say_failures
def issue(name: str | None, role: Role | None, missing: str | None, out: Path | None) -> None:
    """Issue a password for NAME and show it once.

    NAME is COMMUNITY/DEVICE; or with --role: a technician's code, a community's code (office; or bridge, a
    box that speaks for any sensor of the community), or a name of your choice for a gateway, a worker, both
    in one process (site), or a LoRaWAN network server. A password that it had is worth nothing after the next
    `clerestory broker config --reload`.
    """
    if (name is None) == (missing is None):
        raise click.UsageError("give NAME, or --missing COMMUNITY")
    if missing is not None and out is None:
        raise click.UsageError("--missing needs --out: so many passwords belong into a file")

    async def act(conn: AsyncConnection, site: Site) -> list[Issued]:
        now = site.clock.now()
        subjects: list[Subject] = (
            [await subject_of(conn, name, role)]
            if name is not None
            else await without_credential(conn, missing or "")
        )
        made = [await credentials.issue(conn, subject, now, None) for subject in subjects]
        if out is not None:
            _keep(out, made)
        return made

    made = act_on_site(act, NotIssued, OtherRole)
    if out is not None:
        click.echo(f"{out}: {len(made)} account{'' if len(made) == 1 else 's'}")
        return
    for each in made:
        click.echo(f"username  {each.username}")
        click.echo(f"password  {each.secret}")
    click.echo("It is not shown again. Then: clerestory broker config --out DIR --reload PID", err=True)


def _keep(out: Path, made: list[Issued]) -> None:
    """Write secrets into a new file of ours; inside the transaction, so that none is issued and then lost."""
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise click.ClickException(f"{out} exists; name a new file") from None
    except OSError as error:
        raise click.ClickException(f"{out}: {error.strerror}") from error
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["username", "password"])
        writer.writerows([each.username, each.secret] for each in made)


@broker.command()
@click.argument("name")
@say_failures
def revoke(name: str) -> None:
    """Let the account NAME in no more, from the next `clerestory broker config --reload` on."""

    async def act(conn: AsyncConnection, site: Site) -> bool:
        return await credentials.revoke(conn, name, site.clock.now(), None)

    if not act_on_site(act):
        raise click.ClickException(f"no account {name!r} is in force; see: clerestory broker accounts")
    click.echo(f"{name}: revoked")


@broker.command()
@say_failures
def accounts() -> None:
    """List the broker's accounts, revoked ones too."""

    async def act(conn: AsyncConnection, _: Site) -> list[credentials.Credential]:
        return await credentials.credentials(conn)

    found = act_on_site(act)
    if not found:
        click.echo("no accounts; `clerestory broker issue COMMUNITY/DEVICE` makes one")
    for each in found:
        state = f"revoked {each.revoked_at:%Y-%m-%d %H:%M}Z" if each.revoked_at else ""
        click.echo(f"{each.username}\t{each.role}\tissued {each.issued_at:%Y-%m-%d %H:%M}Z\t{state}".rstrip())


COMMANDS = [broker]
