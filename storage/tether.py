"""Run a program that ends when the process that started it ends, even by `kill -9`.

Used as a script between us and the server: it gives up root where asked, asks the kernel to be signalled when
its parent dies, and becomes the program. A script, because doing this between fork and exec of a process with
threads may deadlock. Only Linux has such a signal; elsewhere the next start stops the left-over.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1


def tethered(argv: list[str], *, account: tuple[int, int] | None = None) -> list[str]:
    """The command that runs `argv` tied to our life, as user and group `account` if we are root."""
    uid, gid = account or (-1, -1)
    # -I -S: nothing of the caller's environment is imported, and it starts in 15 ms.
    script = str(Path(__file__).resolve())
    return [sys.executable, "-I", "-S", script, str(os.getpid()), str(uid), str(gid), *argv]


def main() -> None:
    parent, uid, gid = (int(argument) for argument in sys.argv[1:4])
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After setuid, which would clear it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
        if os.getppid() != parent:  # died before we asked
            sys.exit(1)
    os.execv(sys.argv[4], sys.argv[4:])  # noqa: S606 - no shell is what we want


if __name__ == "__main__":
    main()
