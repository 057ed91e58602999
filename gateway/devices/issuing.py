"""Whom a name at the broker stands for."""

import re
from typing import Final

from psycopg import AsyncConnection

from config.profiles import load_profiles
from gateway.devices import store
from gateway.devices.credentials import Role, Subject
from gateway.devices.draft import Registered

OF_COMMUNITIES: Final = ("office", "bridge")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


class NotIssued(ValueError):
    """There is nobody of this name, or nobody who speaks to the broker."""


def speaks(device: Registered) -> bool:
    """Whether a device connects to the broker itself; a LoRaWAN device speaks through its network server."""
    profiles = load_profiles()
    return device.profile not in profiles or profiles[device.profile].envelope != "lorawan"


def subject_of_device(device: Registered) -> Subject:
    """A device at the broker. Raises `NotIssued` for one that is not there itself, or is retired."""
    name = f"{device.community}/{device.code}"
    if device.retired_at is not None:
        raise NotIssued(f"{name} is retired; bring it back first")
    if not speaks(device):
        raise NotIssued(
            f"{name} speaks through its LoRaWAN network server, whose account is of --role network_server"
        )
    return Subject(name, "device", device_id=device.device_id)


async def subject_of(conn: AsyncConnection, name: str, role: Role | None) -> Subject:
    """Whom a name stands for in a role; a device's is COMMUNITY/DEVICE. Raises `NotIssued`."""
    if role is None or role == "device":
        community, slash, code = name.partition("/")
        device = await store.device_named(conn, community, code) if slash else None
        if device is None:
            raise NotIssued(
                f"there is no device {name!r}; right would be COMMUNITY/DEVICE, or a name with its --role"
            )
        return subject_of_device(device)
    if role == "technician":
        staff_id = await store.staff_id(conn, name)
        if staff_id is None:
            raise NotIssued(f"there is no technician {name!r}")
        return Subject(f"staff.{name}", role, staff_id=staff_id)
    if role in OF_COMMUNITIES:
        community_id = (await store.communities(conn)).get(name)
        if community_id is None:
            raise NotIssued(f"there is no community {name!r}")
        return Subject(f"{role}.{name}", role, community_id=community_id)
    if not _NAME.fullmatch(name):
        raise NotIssued(f"{name!r}: right would be letters, digits, dash and _ only, at most 63")
    return Subject(name, role)


async def without_credential(conn: AsyncConnection, community: str) -> list[Subject]:
    """The devices of a community that connect themselves and were never given a credential, by code."""
    known = await store.communities(conn)
    if community not in known:
        raise NotIssued(f"there is no community {community!r}")
    missing = await store.never_issued(conn, known[community])
    return [subject_of_device(each) for each in missing if each.retired_at is None and speaks(each)]
