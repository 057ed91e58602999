"""Kiosk signatures: Ed25519 over the RFC 8785 canonical JSON of a body without its `signature` field.

The simulated kiosk, tests and `clerestory load` samples use the same functions that check a real kiosk.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

JsonValue = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A kiosk's keys, base64 of the 32 raw bytes; the public one belongs in the device's attributes."""

    private_key: str
    public_key: str


def generate_key_pair() -> KeyPair:
    """Make a new random key pair."""
    return _pair(Ed25519PrivateKey.generate())


def key_pair_of(seed: bytes) -> KeyPair:
    """Derive a key pair from a 32-byte seed: for samples and tests that must repeat."""
    return _pair(Ed25519PrivateKey.from_private_bytes(seed))


def canonical(body: Mapping[str, JsonValue]) -> bytes:
    """Canonical JSON (RFC 8785) of a body without its signature: the bytes that are signed."""
    return rfc8785.dumps({name: value for name, value in body.items() if name != "signature"})


def sign(body: Mapping[str, JsonValue], private_key: str) -> str:
    """Sign a body; the result goes into its `signature` field."""
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(private_key, validate=True))
    return base64.b64encode(key.sign(canonical(body))).decode("ascii")


def signed(body: Mapping[str, JsonValue], private_key: str) -> dict[str, JsonValue]:
    """Copy a body with its signature added, ready to publish as JSON."""
    return {**body, "signature": sign(body, private_key)}


def verify(message: bytes, signature: bytes, public_key: object) -> bool:
    """Check a signature with a device's public key; a missing or malformed key verifies nothing."""
    if not isinstance(public_key, str):
        return False
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        key.verify(signature, message)
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def _pair(key: Ed25519PrivateKey) -> KeyPair:
    return KeyPair(
        private_key=base64.b64encode(key.private_bytes_raw()).decode("ascii"),
        public_key=base64.b64encode(key.public_key().public_bytes_raw()).decode("ascii"),
    )
