"""Mosquitto's files, written from who may speak: configuration, passwords, access list. Pure.

Every device speaks under its own topics, and hears only its own; nobody else is let in. Mosquitto grants any
subscription and checks each message before it delivers it: a device that subscribes to `#` hears nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from config.profiles import Profiles
from gateway.devices.credentials import Credential
from gateway.sharing import PROBE
from gateway.topics import SUBSCRIPTIONS

# The gateway acknowledges after COMMIT, so what the broker lets fly unacknowledged bounds the throughput.
IN_FLIGHT: Final = 20_000
QUEUED: Final = 1_000_000
# What the gateway takes at most, with room for the topic. A payload slightly over it still arrives, so that
# the gateway can say what was too large; one far over it costs its sender the connection.
PAYLOAD: Final = 64 * 1024
PACKET: Final = PAYLOAD + 1024
KEEPALIVE_SECONDS: Final = 3600

CONFIGURATION: Final = "mosquitto.conf"
PASSWORDS: Final = "passwords"
ACCESS: Final = "acl"

_HEAD: Final = (
    "# Written by `clerestory broker config`. Do not edit: it is written again when devices change.\n"
)
# A gateway asks the broker whether it shares subscriptions by sending itself something.
_ASKS: Final = (f"{PROBE}/#",)
_HEARS: Final = {
    "gateway": (*SUBSCRIPTIONS, *_ASKS),
    "worker": (),
    "site": (*SUBSCRIPTIONS, *_ASKS),
    "network_server": (),
}
_ANSWERS: Final = (
    "clerestory/+/+/receipt",
    "clerestory/+/+/answer",
    "clerestory/+/technician/+/job",
    "clerestory/+/office/+/escalation",
)
_SAYS: Final = {
    "gateway": _ASKS,
    "worker": _ANSWERS,
    "site": (*_ANSWERS, *_ASKS),
    "network_server": ("application/+/device/+/event/+", "v3/+/devices/+/up"),
}


@dataclass(frozen=True, slots=True)
class Tls:
    """The certificate that the devices' listener shows, by paths on the broker's machine."""

    certificate: str
    key: str
    authorities: str = ""


@dataclass(frozen=True, slots=True)
class Listener:
    """An address to listen on."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are on the broker's machine.

    `devices` is where the devices come in, `services` where gateways, workers and network servers do.
    `durable` saves the queue of a gateway that is away after every message.
    """

    directory: PurePosixPath
    data: PurePosixPath
    devices: Listener
    services: Listener
    tls: Tls | None = None
    durable: bool = True


def persistence(data: object, *, durable: bool) -> list[str]:
    """The lines that keep what waits.

    `durable` saves the queue of a gateway that is away after every message, so that it survives a SIGKILL
    of the broker; without it the last second may be lost. Each save writes all that waits anew, so publishing
    is several times slower with it, and a hundred times where thousands wait. What
    is on its way to a gateway that is there, Mosquitto does not save in time: its SIGKILL may cost that much.
    """
    return [
        "persistence true",
        f"persistence_location {data}/",
        f"autosave_on_changes {'true' if durable else 'false'}",
        "autosave_interval 1",
    ]


def configuration(layout: Layout) -> str:
    """Mosquitto's configuration."""
    lines = [
        "per_listener_settings false",
        "allow_anonymous false",
        f"password_file {layout.directory / PASSWORDS}",
        f"acl_file {layout.directory / ACCESS}",
        f"max_inflight_messages {IN_FLIGHT}",
        f"max_queued_messages {QUEUED}",
        f"max_packet_size {PACKET}",
        f"max_keepalive {KEEPALIVE_SECONDS}",
        *persistence(layout.data, durable=layout.durable),
        "set_tcp_nodelay true",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "connection_messages false",
        "",
        "# Devices. Each goes by its own name: none can end another's connection by taking its client id.",
        f"listener {layout.devices.port} {layout.devices.host}",
        "use_username_as_clientid true",
        *_tls(layout.tls),
        "",
        "# Gateways, workers, network servers: several may share an account. Keep it away from the devices.",
        f"listener {layout.services.port} {layout.services.host}",
    ]
    return _HEAD + "\n".join(lines) + "\n"


def _tls(tls: Tls | None) -> Iterable[str]:
    if tls is None:
        return
    yield f"certfile {tls.certificate}"
    yield f"keyfile {tls.key}"
    if tls.authorities:
        yield f"cafile {tls.authorities}"
    yield "tls_version tlsv1.2"


def passwords(credentials: Sequence[Credential]) -> str:
    """Mosquitto's password file."""
    return "".join(f"{each.username}:{each.hash}\n" for each in credentials)


def access(credentials: Sequence[Credential], profiles: Profiles) -> str:
    """Mosquitto's access list: a section for each name, and nothing for anybody else."""
    parts = [_HEAD]
    for each in credentials:
        lines = [f"user {each.username}"]
        lines += [f"topic write {topic}" for topic in _written_by(each, profiles)]
        lines += [f"topic read {topic}" for topic in _read_by(each, profiles)]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _is_kiosk(credential: Credential, profiles: Profiles) -> bool:
    profile = credential.profile or ""
    return profile in profiles and profiles[profile].envelope == "kiosk"


def _written_by(credential: Credential, profiles: Profiles) -> Sequence[str]:
    if credential.role == "device":
        kinds = ("ask", "pay", "status") if _is_kiosk(credential, profiles) else ("status", "up")
        return [f"clerestory/{credential.community}/{credential.device}/{kind}" for kind in kinds]
    if credential.role == "bridge":
        return [f"clerestory/{credential.community}/+/{kind}" for kind in ("status", "up")]
    return _SAYS.get(credential.role, ())


def _read_by(credential: Credential, profiles: Profiles) -> Sequence[str]:
    if credential.role == "device":
        kinds = ("answer", "receipt") if _is_kiosk(credential, profiles) else ()
        return [f"clerestory/{credential.community}/{credential.device}/{kind}" for kind in kinds]
    if credential.role == "technician":
        return [f"clerestory/+/technician/{credential.staff}/job"]
    if credential.role == "office":
        return [f"clerestory/{credential.community}/office/+/escalation"]
    return _HEARS.get(credential.role, ())
