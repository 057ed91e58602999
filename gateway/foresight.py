"""Messages are read as they arrive, while the database is busy with those before, as far as that is possible.

What is read here holds for one version of the registry; whoever commits it sees in the same transaction
whether that is still the one, and reads anew where it is not. What cannot be read yet (a device nobody has
looked up), or is large, is left for then.
"""

from datetime import datetime

from gateway.intake import Read, address, understand
from gateway.known import Known, Window
from gateway.refusals import Refusal, Refused
from gateway.registry import Registry

LARGEST = 2 * 1024  # bytes; what is read takes several times its payload's room while it waits


class Foresight:
    """Reads one message by what a registry knows at this moment."""

    def __init__(self, registry: Registry, window: Window) -> None:
        self._registry = registry
        self._window = window

    def __call__(self, topic: str, payload: bytes, received_at: datetime, retained: bool) -> Read | None:  # noqa: FBT001 - as it stands in the message
        """Give what the message says, or None where that is for later."""
        if len(payload) > LARGEST:
            return None
        version = self._registry.version
        try:
            message = address(topic, payload, received_at, retained=retained)
            known = self._registry.recall(message.name)
            if not isinstance(known, Known):
                return None
            return Read(version, understand(message, known, self._window))
        except Refused as refused:
            return Read(version, Refusal(refused.reason, refused.detail))
        except Exception:  # noqa: BLE001 - it fails again where such a mistake is told
            return None
