"""Runs a program that ends when its starter ends, however that happens.

`python -m gateway.leash STARTER-PID [USER] -- PROGRAM ARGUMENT…` becomes PROGRAM. Linux sends it SIGTERM when
the starter dies, even by SIGKILL. Privileges are dropped here and first: dropping them later cuts the leash.
"""

import ctypes
import os
import pwd
import signal
import sys

PR_SET_PDEATHSIG = 1


def leashed(program: list[str], *, user: str | None = None) -> list[str]:
    """Give the command line that runs `program` (as `user`, if given) and ends it with this process."""
    starter = [str(os.getpid()), *([user] if user else [])]
    return [sys.executable, "-m", "gateway.leash", *starter, "--", *program]


def _become(arguments: list[str]) -> None:
    split = arguments.index("--")
    starter, *user = arguments[:split]
    program = arguments[split + 1 :]
    if user:
        account = pwd.getpwnam(user[0])
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
    if os.getppid() != int(starter):
        raise SystemExit("the process that wanted this program is gone")
    os.execvp(program[0], program)  # noqa: S606 - becoming the program is what this module is for


if __name__ == "__main__":
    _become(sys.argv[1:])
