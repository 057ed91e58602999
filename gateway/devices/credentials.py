"""Who may speak to the broker: secrets issued once, kept only as the hash that Mosquitto compares with."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

from storage.notify import notify

# Mosquitto's own form, `$7$iterations$salt$hash`: PBKDF2 with HMAC-SHA-512. A secret of 160 random bits
# cannot be guessed from its hash, so more rounds would only make every connection dearer.
ITERATIONS: Final = 101
SALT_BYTES: Final = 12
HASH_BYTES: Final = 64
SECRET_BYTES: Final = 20

Role = Literal["device", "gateway", "worker", "site", "network_server", "technician", "office", "bridge"]


def new_secret() -> str:
    """A password of 160 random bits in letters and digits that nobody confuses on a label: a–z, 2–7."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode().lower()


def hashed(secret: str, salt: bytes | None = None) -> str:
    """What Mosquitto's password file says of a secret."""
    salt = secrets.token_bytes(SALT_BYTES) if salt is None else salt
    key = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, ITERATIONS, HASH_BYTES)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a credential is for: a device, a technician, a community's office or bridge, or a part of ours."""

    username: str
    role: Role
    device_id: int | None = None
    staff_id: int | None = None
    community_id: int | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A credential as it is shown once. Not to be logged: its text hides the secret."""

    username: str
    secret: str
    rotated: bool

    def __repr__(self) -> str:
        return f"Issued({self.username!r})"


@dataclass(frozen=True, slots=True)
class Credential:
    """What is kept of a credential, and what its rights come from."""

    id: int
    username: str
    role: Role
    hash: str
    issued_at: datetime
    revoked_at: datetime | None
    community: str | None
    device: str | None
    profile: str | None
    staff: str | None

    def __repr__(self) -> str:
        return f"Credential({self.username!r})"


class OtherRole(ValueError):
    """The name is in use for something else."""

    def __init__(self, username: str) -> None:
        super().__init__(f"{username!r} is in use in another role; choose another name")
        self.username = username


async def issue(conn: AsyncConnection, subject: Subject, now: datetime, account_id: int | None) -> Issued:
    """Give a subject a new secret; one that it had is worth nothing once the broker has read its files again.

    Raises `OtherRole`.
    """
    secret = new_secret()
    async with conn.cursor() as cursor:
        await cursor.execute(
            """
            INSERT INTO broker_credential (username, role, device_id, staff_id, community_id, hash, issued_at)
            VALUES (%(username)s, %(role)s, %(device)s, %(staff)s, %(community)s, %(hash)s, %(now)s)
            ON CONFLICT (username) DO UPDATE SET hash = excluded.hash, issued_at = excluded.issued_at,
                                                 revoked_at = NULL
                  WHERE broker_credential.role = excluded.role
            RETURNING id, xmax = 0
            """,
            {
                "username": subject.username,
                "role": subject.role,
                "device": subject.device_id,
                "staff": subject.staff_id,
                "community": subject.community_id,
                "hash": hashed(secret),
                "now": now,
            },
        )
        row = await cursor.fetchone()
    if row is None:
        raise OtherRole(subject.username)
    credential_id, added = row
    await _note(conn, credential_id, "issued" if added else "rotated", now, account_id)
    return Issued(subject.username, secret, rotated=not added)


async def revoke(conn: AsyncConnection, username: str, now: datetime, account_id: int | None) -> bool:
    """Let a credential be worth nothing; False where there is none in force."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            """
            UPDATE broker_credential SET revoked_at = %(now)s
             WHERE username = %(username)s AND revoked_at IS NULL RETURNING id
            """,
            {"username": username, "now": now},
        )
        credential_id = await cursor.fetchone()
    if credential_id is None:
        return False
    await _note(conn, credential_id, "revoked", now, account_id)
    return True


async def _note(
    conn: AsyncConnection, credential_id: int, what: str, now: datetime, account_id: int | None
) -> None:
    await conn.execute(
        """
        INSERT INTO broker_credential_event (credential_id, what, at, account_id)
        VALUES (%(id)s, %(what)s, %(now)s, %(account)s)
        """,
        {"id": credential_id, "what": what, "now": now, "account": account_id},
    )
    await notify(conn, "registry", [])


_CREDENTIALS: Final = """
    SELECT broker_credential.id, broker_credential.username, broker_credential.role, broker_credential.hash,
           broker_credential.issued_at, broker_credential.revoked_at,
           community.code AS community, device.code AS device, device.profile, staff.code AS staff
      FROM broker_credential
      LEFT JOIN device ON device.id = broker_credential.device_id
      LEFT JOIN staff ON staff.id = broker_credential.staff_id
      LEFT JOIN community ON community.id = coalesce(broker_credential.community_id, device.community_id)
"""


async def credentials(conn: AsyncConnection) -> list[Credential]:
    """Every credential, revoked ones too, by name."""
    async with conn.cursor(row_factory=class_row(Credential)) as cursor:
        await cursor.execute(_CREDENTIALS + ' ORDER BY broker_credential.username COLLATE "C"')
        return await cursor.fetchall()


async def in_force(conn: AsyncConnection, now: datetime) -> list[Credential]:
    """The credentials that the broker is to accept: not revoked, of nothing retired and nobody who left."""
    async with conn.cursor(row_factory=class_row(Credential)) as cursor:
        await cursor.execute(
            _CREDENTIALS
            + """
             WHERE broker_credential.revoked_at IS NULL
               AND coalesce(device.retired_at > %(now)s, true)
               AND coalesce(staff.left_on > %(now)s::date, true)
             ORDER BY broker_credential.username COLLATE "C"
            """,
            {"now": now},
        )
        return await cursor.fetchall()


async def of_device(conn: AsyncConnection, device_id: int) -> Credential | None:
    """The credential of a device, in force or not."""
    async with conn.cursor(row_factory=class_row(Credential)) as cursor:
        await cursor.execute(
            _CREDENTIALS + " WHERE broker_credential.device_id = %(device)s", {"device": device_id}
        )
        return await cursor.fetchone()


@dataclass(frozen=True, slots=True)
class Event:
    """Something done to a credential. `who` is empty for the command line."""

    what: str
    at: datetime
    who: str


async def events(conn: AsyncConnection, credential_id: int) -> list[Event]:
    """What was done to a credential and by whom, newest first."""
    async with conn.cursor(row_factory=class_row(Event)) as cursor:
        await cursor.execute(
            """
            SELECT what, at, coalesce(account.name, '') AS who
              FROM broker_credential_event
              LEFT JOIN account ON account.id = broker_credential_event.account_id
             WHERE credential_id = %(id)s ORDER BY broker_credential_event.id DESC LIMIT 50
            """,
            {"id": credential_id},
        )
        return await cursor.fetchall()
