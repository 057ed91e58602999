"""Which profile a stranger most likely has: the one that makes the most of its messages."""

import logging
from collections.abc import Iterator, Sequence

from config.profiles import Profile, Profiles
from gateway.delivery import Delivery
from gateway.intake import address, understand
from gateway.known import Window, known
from gateway.refusals import Refused
from gateway.signals import Device, Heard

log = logging.getLogger(__name__)


def likely_profiles(
    messages: Sequence[Delivery], profiles: Profiles, window: Window
) -> Sequence[tuple[Profile, int]]:
    """Every profile that may send such messages, with how many values and events it finds in them.

    The one that finds most comes first. Empty where nothing says which network the messages came from.
    """
    found: dict[str, int] = {}
    for message in messages:
        for name, weight in _weighed(message, profiles, window):
            found[name] = found.get(name, 0) + weight
    return sorted(((profiles[name], weight) for name, weight in found.items()), key=_last)


def _last(ranked: tuple[Profile, int]) -> tuple[int, int]:
    """What finds most comes first; of those that find the same, the one that would know least beyond it."""
    profile, weight = ranked
    return -weight, len(profile.fields) + len(profile.field_events) + len(profile.codes)


def _weighed(message: Delivery, profiles: Profiles, window: Window) -> Iterator[tuple[str, int]]:
    try:
        addressed = address(message.topic, message.payload, message.received_at)
    except Exception as error:  # noqa: BLE001 - whatever a stranger sends must break nobody's page
        _note(error)
        return
    envelopes = {"lorawan"} if addressed.uplink is not None else {"native", "json", "kiosk"}
    for profile in (profiles[name] for name in profiles.names):
        if profile.envelope not in envelopes:
            continue
        device = Device(
            community_id=0,
            device_id=0,
            community=addressed.name[0],
            code=addressed.name[1],
            profile=profile.name,
            asset_id=0,
            asset_class=profile.asset_class,
        )
        try:
            said = understand(addressed, known(device, profile), window)
        except Exception as error:  # noqa: BLE001 - as above
            _note(error)
            yield profile.name, 0
        else:
            yield profile.name, len(said.readings) + len(said.events) if isinstance(said, Heard) else 1


def _note(error: Exception) -> None:
    """A refusal is an answer; anything else is our mistake, which the log is to have."""
    if not isinstance(error, Refused):
        log.error("a stranger's message could not be read", exc_info=error)
