"""Passwords: argon2, a few at a time, and the same work for a login nobody has."""

import asyncio
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST: Final = 8
LONGEST: Final = 256


class UnfitPassword(ValueError):
    """A new password that we do not take; `length` is what it had."""

    def __init__(self, length: int) -> None:
        super().__init__(f"a password has {SHORTEST} to {LONGEST} characters; this one has {length}")
        self.length = length


class Passwords:
    """Hashes and verifies off the event loop; two at once, since each takes 64 MiB."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = asyncio.Semaphore(2)
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """Return the hash to store, or raise UnfitPassword."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise UnfitPassword(len(password))
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Tell whether the password fits; without a stored hash do the same work and say no."""
        async with self._turns:
            fits = await asyncio.to_thread(self._fits, stored or self._nobody, password[: LONGEST + 1])
        return fits and stored is not None

    def _fits(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
