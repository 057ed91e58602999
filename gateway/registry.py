"""Which devices there are: looked up once, forgotten when anything about them changes.

Everything remembered belongs to one version of the registry, which the database counts. So what is known is
current, what is unknown was looked for, and a flood of unknown names costs one query a batch.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from psycopg import AsyncConnection

from config.profiles import Profiles
from gateway import store
from gateway.known import Known, known
from gateway.refusals import Refusal, Refused, shown
from gateway.signals import Device
from gateway.store import DeviceRow

MOST_STRANGERS = 1_000  # names of devices that are not there; a batch may bring more, the next forgets them

Name = tuple[str, str]
"""A community code and a device code, or "" and a DevEUI."""


@dataclass(slots=True)
class Registry:
    """What one gateway knows of the devices."""

    profiles: Profiles
    _version: int = -1
    _known: dict[Name, Known | Refusal] = field(default_factory=dict)
    _strangers: dict[Name, Refusal] = field(default_factory=dict)

    async def refresh(self, conn: AsyncConnection) -> int:
        """Forget everything if the registry changed; call at the start of each transaction.

        Gives the count of the switches of rules, for whoever steps them in this transaction.
        """
        now = await store.registry_now(conn)
        self.settle(now.version)
        return now.rules

    def settle(self, version: int) -> None:
        """The same, for a version that was asked for."""
        if version != self._version:
            self._known.clear()
            self._strangers.clear()
            self._version = version
        if len(self._strangers) > MOST_STRANGERS:
            self._strangers.clear()

    @property
    def version(self) -> int:
        """Which version of the registry everything remembered belongs to."""
        return self._version

    def recall(self, name: Name) -> Known | Refusal | None:
        """Give a device that was looked up before; None for one that was not, or is not there."""
        return self._known.get(name)

    @property
    def remembers(self) -> int:
        """How many names it remembers, of devices and of strangers."""
        return len(self._known) + len(self._strangers)

    def missing(self, names: Collection[Name]) -> set[Name]:
        """Give those names that nobody has looked for yet."""
        return {name for name in names if name not in self._known and name not in self._strangers}

    async def learn(self, conn: AsyncConnection, names: Collection[Name]) -> None:
        """Look names up, and remember also those that are not there."""
        by_code = {name for name in names if name[0]}
        euis = {name[1] for name in names if not name[0]}
        if by_code:
            for row in await store.devices_by_code(conn, by_code):
                self._known[row.community, row.code] = self._compile(row)
            strangers = self.missing(by_code)
            if strangers:
                await self._learn_why_not(conn, strangers)
        if euis:
            for row in await store.devices_by_eui(conn, euis):
                self._known["", row.dev_eui or ""] = self._compile(row)
            for _, eui in self.missing({("", eui) for eui in euis}):
                self._strangers["", eui] = Refusal(
                    "unknown_device", f"no device has DevEUI {eui}; add it to its community and retry"
                )

    def find(self, name: Name) -> Known:
        """Give a device that was looked up before, or refuse it."""
        found = self._known.get(name) or self._strangers[name]
        if isinstance(found, Refusal):
            raise Refused(*found)
        return found

    def _compile(self, row: DeviceRow) -> Known | Refusal:
        if row.profile not in self.profiles:
            names = ", ".join(self.profiles.names)
            return Refusal(
                "unknown_profile", f"device {row.code!r} has profile {row.profile!r}; there are: {names}"
            )
        device = Device(
            community_id=row.community_id,
            device_id=row.device_id,
            community=row.community,
            code=row.code,
            profile=row.profile,
            asset_id=row.asset_id,
            asset_class=row.asset_class,
            attributes=row.attributes,
            timezone=row.timezone,
        )
        return known(device, self.profiles[row.profile], row.retired_at)

    async def _learn_why_not(self, conn: AsyncConnection, strangers: set[Name]) -> None:
        communities = await store.communities_among(conn, {name[0] for name in strangers})
        homes = await store.homes_of(conn, {name[1] for name in strangers})
        for community, code in strangers:
            self._strangers[community, code] = _stranger(community, code, communities, homes)


def _stranger(community: str, code: str, communities: set[str], homes: dict[str, str]) -> Refusal:
    if community not in communities:
        return Refusal("unknown_community", f"no community {shown(community)!r}; load it, or mend the topic")
    if code in homes:
        return Refusal(
            "foreign_community",
            f"device {shown(code)!r} belongs to community {homes[code]!r}, not {shown(community)!r}",
        )
    return Refusal(
        "unknown_device", f"no device {shown(code)!r} in community {shown(community)!r}; add it and retry"
    )
