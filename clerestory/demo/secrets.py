"""The demo's own secrets: made once for its data directory, for its owner's eyes, worth nothing elsewhere."""

import base64
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from billing.signing import generate_key_pair, key_pair_of

FILE = "secrets.json"


@dataclass(frozen=True, slots=True)
class Secrets:
    """One password for every demo account, and the private key of each kiosk by its code."""

    password: str
    kiosks: dict[str, str]


def keep_secrets(file: Path, kiosks: tuple[str, ...]) -> Secrets:
    """Read the secrets, or make them where there are none yet."""
    if file.exists():
        return _read(file)
    made = Secrets(
        password=f"mingyue-{secrets.token_hex(3)}",
        kiosks={code: generate_key_pair().private_key for code in kiosks},
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump({"password": made.password, "kiosks": made.kiosks}, out)
    return made


def demo_secrets(directory: Path) -> Secrets | None:
    """The secrets of the demo that lives in this data directory, or is below it; None without a demo."""
    for place in (directory, directory / "demo"):
        found = secrets_in(place)
        if found is not None:
            return found
    return None


def secrets_in(directory: Path) -> Secrets | None:
    """The secrets of the demo whose own directory this is; None where it is not a demo's."""
    file = directory / FILE
    return _read(file) if file.exists() else None


def _read(file: Path) -> Secrets:
    kept = json.loads(file.read_text(encoding="utf-8"))
    return Secrets(kept["password"], kept["kiosks"])


def public_key(private_key: str) -> str:
    """The public half that the kiosk's device carries."""
    return key_pair_of(base64.b64decode(private_key)).public_key
