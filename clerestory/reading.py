"""Reads a batch by what the registry says in the batch's own transaction."""

import logging
from collections.abc import Sequence

from psycopg import AsyncConnection

from clerestory.batch import Batch, Outcome
from gateway.delivery import Delivery
from gateway.intake import Addressed, Said, address, understand
from gateway.known import Window
from gateway.refusals import Refusal, Refused, shown
from gateway.registry import Registry

log = logging.getLogger(__name__)


class Reader:
    """Sorts what messages say into a batch."""

    def __init__(self, registry: Registry, window: Window) -> None:
        self._registry = registry
        self._window = window

    def foreseen(self, deliveries: Sequence[Delivery]) -> tuple[Batch, list[Outcome]] | None:
        """Give what all of them were read as when they arrived; None where one has to be read (anew).

        It holds if, in the transaction, the registry turns out to be of the version it is known in.
        """
        version, batch, outcomes = self._registry.version, Batch(), list[Outcome]()
        for delivery in deliveries:
            read = delivery.read
            if read is None or read.version != version:
                return None
            outcomes.append(_sort(delivery, read.said, batch))
        return batch, outcomes

    async def read(
        self, conn: AsyncConnection, deliveries: Sequence[Delivery]
    ) -> tuple[Batch, list[Outcome]]:
        """Read all of them now, by a registry that was refreshed in this transaction."""
        addressed: list[Addressed | Refusal] = []
        for delivery in deliveries:
            try:
                addressed.append(_address(delivery))
            except Exception as error:  # noqa: BLE001 - see `_refusal`
                addressed.append(_refusal(error))
        missing = self._registry.missing([each.name for each in addressed if isinstance(each, Addressed)])
        if missing:
            await self._registry.learn(conn, missing)
        batch, outcomes = Batch(), list[Outcome]()
        for delivery, each in zip(deliveries, addressed, strict=True):
            outcomes.append(self._hear(each, delivery, batch))
        return batch, outcomes

    def _hear(self, message: Addressed | Refusal, delivery: Delivery, batch: Batch) -> Outcome:
        if isinstance(message, Refusal):
            return _sort(delivery, message, batch)
        try:
            said = understand(message, self._registry.find(message.name), self._window)
        except Exception as error:  # noqa: BLE001 - see `_refusal`
            return _sort(delivery, _refusal(error), batch)
        return _sort(delivery, said, batch)


def _sort(delivery: Delivery, said: Said | Refusal, batch: Batch) -> Outcome:
    if isinstance(said, Refusal):
        batch.refuse(delivery, said)
        return said
    batch.add(said, delivery)
    return None


def _address(delivery: Delivery) -> Addressed:
    return address(delivery.topic, delivery.payload, delivery.received_at, retained=delivery.retained)


def _refusal(error: Exception) -> Refusal:
    """Say why a message cannot be read.

    What our own mistake cannot read would come again for ever and keep everybody else's messages waiting:
    it is kept like any other refused message, and the mistake is told to whoever reads the log.
    """
    if isinstance(error, Refused):
        return Refusal(error.reason, error.detail)
    log.error("a message could not be read; it waits as a dead letter", exc_info=error)
    return Refusal("our_fault", f"{type(error).__name__}: {shown(str(error))}")
