"""PostgreSQL refuses to run as root: which user it runs as instead, and what that user can reach."""

import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

LOCK = "lock"  # the file that marks a directory as ours
CANDIDATES = ("postgres", "nobody")
CLEAN_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class DataDirUnreachable(RuntimeError):
    """The data directory cannot be used; the message says by whom, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the server: ourselves, or where we are root somebody without rights."""

    uid: int
    gid: int
    switched: bool

    @property
    def name(self) -> str:
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"user {self.uid}"

    @property
    def pair(self) -> tuple[int, int] | None:
        return (self.uid, self.gid) if self.switched else None

    def run(self, argv: list[str], *, cwd: str = "/") -> subprocess.CompletedProcess[str]:
        """Run a program to its end as this user, with a clean environment."""
        return subprocess.run(  # noqa: S603 - our own argument lists
            argv,
            check=False,
            capture_output=True,
            text=True,
            cwd=cwd,
            env=CLEAN_ENVIRONMENT,
            user=self.uid if self.switched else None,
            group=self.gid if self.switched else None,
            extra_groups=[] if self.switched else None,
        )


def choose_account(directory: Path) -> Account:
    """Ourselves; for root the directory's owner where it has one, else `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switched=False)
    if directory.exists() and (owner := directory.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid, switched=True)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, switched=True)
    raise DataDirUnreachable(
        "PostgreSQL does not run as root, and there is neither a user postgres nor nobody: "
        "create one (useradd --system postgres) or start as an ordinary user"
    )


def prepare_directory(directory: Path, account: Account) -> None:
    """Make the directory and hand it to the account; parents that exist are never changed."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    try:
        for path in reversed(missing):
            path.mkdir()
            if account.switched:
                path.chmod(0o755)  # ours, made a moment ago, whatever the umask is
        if not (directory / LOCK).exists() and any(directory.iterdir()):
            raise DataDirUnreachable(
                f"data directory {directory} has files that are not ours. "
                "Set CLERESTORY_DATA_DIR to another directory, or empty this one"
            )
        if account.switched:
            os.chown(directory, account.uid, account.gid)
        if directory.stat().st_uid == account.uid:
            directory.chmod(stat.S_IRWXU)
    except (PermissionError, FileExistsError, NotADirectoryError, FileNotFoundError) as error:
        raise DataDirUnreachable(
            f"data directory {directory} cannot be made: {error.strerror} ({error.filename}). "
            "Set CLERESTORY_DATA_DIR to a directory that this user may write"
        ) from error
    if not can_enter(account, directory):
        raise DataDirUnreachable(_why_not(directory, account))


def can_enter(account: Account, directory: Path) -> bool:
    """Whether the account may go into the directory and write there: tried, not computed, so ACLs count."""
    return account.run(["/bin/sh", "-c", 'cd -- "$1" && test -w .', "sh", str(directory)]).returncode == 0


def _why_not(directory: Path, account: Account) -> str:
    barred = next(
        (path for path in reversed(directory.parents) if not _passes(account, path)),
        directory,
    )
    if account.switched:
        return (
            f"data directory {directory} cannot be reached by {account.name}, the user PostgreSQL runs as "
            f"because it refuses to run as root: {barred} bars the way. Set CLERESTORY_DATA_DIR to a "
            "directory that everybody may pass, e.g. /var/lib/clerestory, or start as an ordinary user"
        )
    return (
        f"data directory {directory} cannot be written by {account.name}. "
        "Set CLERESTORY_DATA_DIR to a directory that this user may write"
    )


def _passes(account: Account, directory: Path) -> bool:
    return account.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", str(directory)]).returncode == 0
