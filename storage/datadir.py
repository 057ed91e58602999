"""The directory of our own PostgreSQL: what lies where, whose it is, and who has it in use.

As root the directory itself, its lock and its password stay root's; only the folders that the server writes
are handed to the user it runs as, so that user can plant nothing we would follow. Parents are never changed.
"""

import asyncio
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Self

from storage.unprivileged import Account, DataDirUnreachable, choose_account

SOCKET = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 100  # the kernel's limit is 107 bytes on Linux, 103 on macOS
SETTING = "CLERESTORY_DATA_DIR"


class AlreadyRunning(RuntimeError):
    """Another process of ours runs a server on this directory."""

    def __init__(self, directory: Path, pid: str) -> None:
        super().__init__(
            f"data directory {directory} is in use by process {pid or 'unknown'}: "
            f"stop that one, or set {SETTING} to another directory"
        )
        self.directory = directory
        self.pid = pid


class Users:
    """Those who use a server that one of them started: shared among them, exclusive for who stops it."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "users"
        self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file >= 0:
            os.close(self._file)

    async def lock(self, how: int) -> None:
        """Wait for the lock, `fcntl.LOCK_SH` or `LOCK_EX`; it ends with the block, or with this process."""
        if self._file < 0:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        while True:
            try:
                fcntl.flock(self._file, how | fcntl.LOCK_NB)
            except BlockingIOError:
                await asyncio.sleep(0.05)
            else:
                return


class DataDir:
    """One server's directory. `take` before anything is written, `give_back` when all is over."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cluster = directory / "cluster"
        self.draft = directory / "cluster.new"
        self.logs = directory / "log"
        self.startup_log = directory / "startup.log"
        self.account: Account = choose_account(self.cluster)
        self.sockets = directory / "run"
        self._lock = -1

    def take(self) -> None:
        """Make the directory and lock it; the lock ends with this process, however it ends."""
        try:
            self._make()
            self._lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise DataDirUnreachable(
                f"data directory {self.directory} cannot be used: {error.strerror} ({error.filename}). "
                f"Set {SETTING} to a directory that this user may write"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(self._lock, 20).decode().strip()
            self.give_back()
            raise AlreadyRunning(self.directory, pid) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)
        self._make_folders()

    def give_back(self) -> None:
        """Let others have the directory."""
        if self.sockets.parent != self.directory:
            shutil.rmtree(self.sockets, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def make_draft(self) -> None:
        """An empty folder in which a new cluster is made; half of one from before is thrown away."""
        shutil.rmtree(self.draft, ignore_errors=True)
        self._hand_over(self.draft)

    def password(self) -> str:
        """The server's password, made at the first call; only we and root can read it."""
        path = self.directory / "password"
        return path.read_text(encoding="utf-8").strip() if path.exists() else ""

    def keep_password(self, password: str) -> None:
        """Write it down for good before anything depends on it."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        descriptor = os.open(self.directory / "password", flags, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{password}\n")
            file.flush()
            os.fsync(descriptor)

    def _make(self) -> None:
        missing = [path for path in (self.directory, *self.directory.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir()
            if self.account.switched:
                path.chmod(0o755)  # made by us a moment ago; whatever the umask is, the server passes through
        if not (self.directory / "lock").exists() and any(self.directory.iterdir()):
            raise DataDirUnreachable(
                f"data directory {self.directory} has files that are not ours. "
                f"Set {SETTING} to another directory, or empty this one"
            )
        if self.directory.stat().st_uid == os.geteuid():
            self.directory.chmod(0o711 if self.account.switched else 0o700)
        if not self.account.can_pass(self.directory):
            raise DataDirUnreachable(self._why_not())

    def _make_folders(self) -> None:
        self._hand_over(self.logs)
        if len(os.fsencode(self.sockets / SOCKET)) > LONGEST_SOCKET_PATH:
            self.sockets = Path(tempfile.mkdtemp(prefix="clerestory-", dir="/tmp"))
        self._hand_over(self.sockets)

    def _hand_over(self, folder: Path) -> None:
        """Make a folder that is the server's alone."""
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise DataDirUnreachable(f"{folder} is not a directory: move it away")
        if self.account.switched and found.st_uid != self.account.uid:
            os.chown(folder, self.account.uid, self.account.gid, follow_symlinks=False)

    def _why_not(self) -> str:
        way = [*reversed(self.directory.parents), self.directory]
        barred = next(path for path in way if not self.account.can_pass(path))
        if not self.account.switched:
            return (
                f"data directory {self.directory} cannot be entered by {self.account.name}: "
                f"{barred} bars the way. Set {SETTING} to a directory of this user"
            )
        return (
            f"data directory {self.directory} cannot be reached by {self.account.name}, the user PostgreSQL "
            f"runs as because it refuses to run as root: {barred} bars the way. Set {SETTING} to a "
            "directory that everybody may pass, e.g. /var/lib/clerestory, or start as an ordinary user"
        )
