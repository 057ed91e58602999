"""PostgreSQL refuses to run as root: which user it runs as instead, and what that user can reach."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

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
        """User and group to change to, or None where we already are who we should be."""
        return (self.uid, self.gid) if self.switched else None

    def run(
        self, argv: list[str], *, cwd: str = "/", said: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end as this user, with a clean environment and `said` on standard input."""
        return subprocess.run(  # noqa: S603 - our own argument lists
            argv,
            check=False,
            capture_output=True,
            text=True,
            input=said or "",
            cwd=cwd,
            env=CLEAN_ENVIRONMENT,
            user=self.uid if self.switched else None,
            group=self.gid if self.switched else None,
            extra_groups=[] if self.switched else None,
        )

    def can_pass(self, directory: Path) -> bool:
        """Whether this user may go into the directory: tried, not computed, so that ACLs count."""
        return self.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", str(directory)]).returncode == 0


def choose_account(cluster: Path) -> Account:
    """Ourselves; for root the owner of a cluster that is there, else `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switched=False)
    if cluster.is_dir() and (owner := cluster.stat()).st_uid != 0:
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
