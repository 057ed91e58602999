"""Mosquitto's files on disk: each written whole or not at all, readable by its owner alone."""

import logging
import os
import pwd
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psycopg import AsyncConnection

from clerestory.site import Site
from config.profiles import load_profiles
from gateway import mosquitto
from gateway.devices import credentials
from gateway.mosquitto import Layout

MODE = 0o600

log = logging.getLogger(__name__)


class CannotWrite(RuntimeError):
    """The files cannot be put where they were asked for; the message says why."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the files: the names of those that are different now, and how many may speak."""

    changed: tuple[str, ...]
    accounts: int


async def files(conn: AsyncConnection, site: Site, layout: Layout) -> tuple[dict[str, str], int]:
    """The text of each file, from who is in force now, and how many that are."""
    known = await credentials.in_force(conn, site.clock.now())
    texts = {
        mosquitto.CONFIGURATION: mosquitto.configuration(layout),
        mosquitto.PASSWORDS: mosquitto.passwords(known),
        mosquitto.ACCESS: mosquitto.access(known, load_profiles()),
    }
    return texts, len(known)


async def write(site: Site, layout: Layout, out: Path, owner: str | None) -> Written:
    """Write the files that changed, each atomically, and say which. Raises `CannotWrite`."""
    async with site.pool.connection() as conn:
        texts, accounts = await files(conn, site, layout)
    return Written(put_all(texts, out, owner), accounts)


def put_all(texts: Mapping[str, str], out: Path, owner: str | None) -> tuple[str, ...]:
    """Write those files that say something else now, and name them. Raises `CannotWrite`."""
    try:
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
        account = _account(owner)
        return tuple(name for name, text in texts.items() if _put(out / name, text, account))
    except OSError as error:
        raise CannotWrite(f"{error.filename or out}: {error.strerror}") from error


def _account(owner: str | None) -> tuple[int, int] | None:
    """Whose the files are to be; None where they stay ours. Only root gives files away."""
    name = owner or ("mosquitto" if os.geteuid() == 0 else None)
    if name is None:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        if owner is None:
            return None
        raise CannotWrite(f"--owner {owner}: there is no such user") from None
    return entry.pw_uid, entry.pw_gid


def _put(path: Path, text: str, account: tuple[int, int] | None) -> bool:
    """Write one file if it says something else; who reads it meanwhile reads the old one or the new one."""
    try:
        same = path.read_bytes() == text.encode()
    except FileNotFoundError:
        same = False
    if not same:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # 0600 from the start
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    path.chmod(MODE)
    if account is not None:
        os.chown(path, *account)
        os.chown(path.parent, *account)
    return not same


def reload(pid: int) -> None:
    """Have Mosquitto read its passwords and access list again; it drops who may not be there any more."""
    try:
        os.kill(pid, signal.SIGHUP)
    except ProcessLookupError:
        raise CannotWrite(f"--reload {pid}: there is no such process; is Mosquitto running?") from None
    except PermissionError:
        raise CannotWrite(f"--reload {pid}: not ours to signal; run as root or as Mosquitto's user") from None
