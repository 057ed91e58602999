"""The name a gateway has at the broker: the same after every restart, so that its messages wait for it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

MOST_GATEWAYS = 64


class NoNameLeft(RuntimeError):
    """Too many gateways run on one data directory."""


@contextmanager
def client_id(data_dir: Path, given: str | None) -> Iterator[str]:
    """Give the name to use for as long as the block lasts.

    Where none is given, it is the first one kept in the data directory that no other process uses: two
    gateways under one name would throw each other out of the broker for ever.
    """
    if given is not None:
        yield given
        return
    folder = data_dir / "gateways"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, MOST_GATEWAYS + 1):
        with (folder / str(number)).open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            file.seek(0)
            name = file.read().strip()
            if not name:
                name = f"clerestory-{uuid4().hex[:12]}"
                file.write(f"{name}\n")
                file.flush()
            yield name
            return
    raise NoNameLeft(f"{MOST_GATEWAYS} gateways run on {data_dir} already; set CLERESTORY_GATEWAY_ID")
