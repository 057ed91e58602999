"""One transaction a batch: everything its messages say, and everything that follows from it, or nothing."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from time import perf_counter

from psycopg import AsyncConnection, Error
from psycopg_pool import AsyncConnectionPool

from billing import kiosk
from billing.kiosk import PaymentTakenMeanwhile
from clerestory.batch import Batch, Outcome
from clerestory.lateness import late_moments
from clerestory.reading import Reader
from clerestory.tracing import RefusalLog, mark, tell
from clerestory.turn import BeforeFailed, Turn
from config.clock import Clock
from config.vocabulary import load_vocabulary
from dispatch.alarms import follow
from gateway import store
from gateway.deadletters import DeadLetter, one_each
from gateway.delivery import Delivery
from gateway.foresight import Foresight
from gateway.known import Window
from gateway.outbox import OutboxMessage, enqueue
from gateway.refusals import Refusal, shown
from gateway.registry import Registry
from gateway.signals import Heard
from gateway.tally import Tally
from rules.apply import Found, Locking, catch_up, keep, lock, locked_all, step_all
from rules.book import RuleBook
from rules.versions.living import Rules
from storage import telemetry
from storage.notify import notify, notify_each
from storage.unwell import is_data_at_fault, is_unwell

log = logging.getLogger(__name__)


class UnknownLetter(LookupError):
    """There is no dead letter of this number."""

    def __init__(self, letter_id: int) -> None:
        super().__init__(f"there is no dead letter {letter_id}; see: clerestory deadletters list")
        self.letter_id = letter_id


class TakenBefore(Exception):
    """The dead letter was taken already, so there is nothing to retry."""

    def __init__(self, letter_id: int, at: datetime) -> None:
        super().__init__(f"dead letter {letter_id} was taken before, at {at:%Y-%m-%d %H:%M:%S}Z")
        self.letter_id = letter_id
        self.at = at


def is_worth_another_try(error: BaseException) -> bool:
    """Say whether the same batch may be taken later: the database is unwell, or another was faster.

    Anything else would come again for ever: the message that it comes from is found and set aside.
    """
    return is_unwell(error) or isinstance(error, PaymentTakenMeanwhile | BeforeFailed)


class Ingest:
    """Takes messages into the database, whole or not at all."""

    def __init__(
        self,
        pool: AsyncConnectionPool,
        registry: Registry,
        rules: Rules,
        window: Window,
        clock: Clock,
        tally: Tally | None = None,
        *,
        shared: bool = False,
    ) -> None:
        self._pool = pool
        self._registry = registry
        self._rules = rules
        self._window = window
        self._reader = Reader(registry, window)
        self.foresight = Foresight(registry, window)
        self._clock = clock
        self._tally = tally or Tally()
        self._shared = shared
        self._looking_up = asyncio.Lock()  # in several steps, and batches overlap
        self._refusals = RefusalLog()
        self._signals: dict[str, int] = {}

    async def take(self, deliveries: Sequence[Delivery], turn: Turn | None = None) -> list[Outcome]:
        """Commit a batch when its turn comes, and say what became of each message.

        Raises what `is_worth_another_try`; nothing of the batch is kept then, and taking it again does no
        harm, even if the COMMIT had happened and only its answer was lost.
        """
        turn = turn or Turn()
        await self._number_signals()
        began = perf_counter()
        try:
            async with self._pool.connection() as conn, turn, AsyncExitStack() as last:
                batch, outcomes = await self._take_in(conn, deliveries, last)
                await turn.come(wants_no_lock=batch.only_adds)
                await conn.commit()
        except Exception as error:
            if is_worth_another_try(error):
                raise
            # What was begun behind it is committed after it, also where that one is to be tried again.
            await turn.wait_for_before()
            batch = Batch()
            async with self._pool.connection() as conn:
                outcomes = await self._find_fault(conn, deliveries, batch)
        self._note(deliveries, batch, perf_counter() - began)
        return outcomes

    def _note(self, deliveries: Sequence[Delivery], batch: Batch, seconds: float) -> None:
        """Note how a committed batch went; how long messages took is asked of the one that waited longest."""
        now, tally = self._clock.now(), self._tally
        tally.batches.note(len(deliveries))
        tally.commits.note(seconds)
        tally.since_received.note((now - deliveries[0].received_at).total_seconds())
        happened = batch.happened_at()
        if happened is not None:
            tally.since_event.note((now - happened).total_seconds())
        tell(batch.told)
        if batch.letters:
            self._refusals.tell(batch.letters)

    async def retry(self, letter_id: int) -> Outcome:
        """Take a dead letter as if it had just arrived, and say what became of it.

        Raises `UnknownLetter` or `TakenBefore`.
        """
        await self._number_signals()
        async with self._pool.connection() as conn:
            letter = await store.letter(conn, letter_id)
            if letter is None:
                raise UnknownLetter(letter_id)
            if letter.resolved_at is not None:
                raise TakenBefore(letter_id, letter.resolved_at)
            now = self._clock.now()
            # It has waited: like what the broker retains, a status of then says nothing about now.
            again = Delivery(letter.topic, letter.payload, now, retained=True)
            [outcome] = await self._find_fault(conn, [again], Batch())
            if outcome is None:
                await store.resolve_letter(conn, letter_id, now)
                await notify(conn, "deadletter", [letter_id])
            return outcome

    async def retry_all(self, conn: AsyncConnection, letter_ids: Sequence[int]) -> list[Outcome]:
        """Take some dead letters together, in this order, in the caller's transaction.

        Those that were taken meanwhile are left out of the outcomes.
        """
        await self._number_signals()
        kept = [await store.letter(conn, letter_id) for letter_id in letter_ids]
        letters = [each for each in kept if each is not None and each.resolved_at is None]
        if not letters:
            return []
        now = self._clock.now()
        again = [Delivery(each.topic, each.payload, now, retained=True) for each in letters]  # as in `retry`
        outcomes = await self._find_fault(conn, again, Batch())
        taken = [each.id for each, outcome in zip(letters, outcomes, strict=True) if outcome is None]
        for letter_id in taken:
            await store.resolve_letter(conn, letter_id, now)
        await notify(conn, "deadletter", taken)
        return outcomes

    async def _number_signals(self) -> None:
        """Learn the signals' numbers, committed on their own: a batch that fails would take new ones back."""
        if not self._signals:
            async with self._pool.connection() as conn:
                numbers = await telemetry.ensure_signals(conn, load_vocabulary().signal_names())
            self._signals = numbers

    async def _take_in(
        self, conn: AsyncConnection, deliveries: Sequence[Delivery], last: AsyncExitStack
    ) -> tuple[Batch, list[Outcome]]:
        """Do all of a batch but its COMMIT. What nobody waits for is sent together with that, by `last`."""
        now = self._clock.now()
        known, read = self._registry.version, self._reader.foreseen(deliveries)
        if read is not None:
            async with conn.pipeline():
                asked = await store.ask_registry_now(conn)
                locking = await lock(conn, read[0].heard)
            counts = await store.answered(asked)
            async with self._looking_up:
                self._registry.settle(counts.version)
            switches = counts.rules
            if counts.version != known:
                read = None
        if read is None:
            async with self._looking_up:
                switches = await self._registry.refresh(conn)
                read = await self._reader.read(conn, deliveries)
            locking = await lock(conn, read[0].heard)
        locking = await locked_all(conn, locking)
        book = await self._rules.at(conn, switches)
        await self._write(conn, read[0], locking, book, now, last)
        return read

    async def _find_fault(
        self, conn: AsyncConnection, deliveries: Sequence[Delivery], whole: Batch
    ) -> list[Outcome]:
        """Halve the batch until the message that cannot be taken is alone; it becomes a dead letter."""
        try:
            async with conn.transaction():
                async with AsyncExitStack() as last:
                    part, outcomes = await self._take_in(conn, deliveries, last)
                await store.check_promises(conn)
        except Exception as error:
            if is_worth_another_try(error):
                raise
            if len(deliveries) == 1:
                why = _fault(error)
                alone = Batch()
                alone.refuse(deliveries[0], why)
                await self._keep(conn, alone.letters)
                whole.take_over(alone)
                return [why]
        else:
            whole.take_over(part)
            return outcomes
        middle = len(deliveries) // 2
        first = await self._find_fault(conn, deliveries[:middle], whole)
        return first + await self._find_fault(conn, deliveries[middle:], whole)

    async def _write(
        self,
        conn: AsyncConnection,
        batch: Batch,
        locking: Locking,
        book: RuleBook,
        now: datetime,
        last: AsyncExitStack,
    ) -> None:
        if batch.heard:
            found = await self._step(conn, batch.heard, locking, book)
            if found.findings or found.shared:
                batch.only_adds = False
                changes = await keep(conn, found, now if self._shared else None)
                batch.told = await mark(conn, changes, list(zip(batch.heard, batch.sources, strict=True)))
                await follow(conn, changes, now)
        await self._answer(conn, batch, now)
        await last.enter_async_context(conn.pipeline())
        if batch.heard and not found.findings and not found.shared:
            await keep(conn, found)
        await notify_each(conn, "reading", [each.device.key for each in batch.heard])

    async def _step(
        self, conn: AsyncConnection, heard: Sequence[Heard], locking: Locking, book: RuleBook
    ) -> Found:
        """Step the rules while the database stores the readings: neither needs the other."""
        writing = asyncio.create_task(self._write_telemetry(conn, heard))
        try:
            await asyncio.sleep(0)  # the statement goes out before we are busy
            found = await step_all(locking, book, shared=self._shared)
        except BaseException:
            writing.cancel()
            await asyncio.wait([writing])
            raise
        await writing
        await catch_up(conn, locking, found, book, shared=self._shared)
        return found

    async def _answer(self, conn: AsyncConnection, batch: Batch, now: datetime) -> None:
        if batch.payments or batch.asks or batch.letters:
            batch.only_adds = False
        answers: list[OutboxMessage] = [await kiosk.pay(conn, payment, now) for payment in batch.payments]
        answers += [await kiosk.answer(conn, ask, now) for ask in batch.asks]
        if answers:
            await enqueue(conn, answers, now)
        if batch.letters:
            await self._keep(conn, batch.letters)

    async def _write_telemetry(self, conn: AsyncConnection, heard: Sequence[Heard]) -> None:
        numbers = self._signals
        await telemetry.note_late(conn, late_moments(heard, numbers))
        communities: list[int] = []
        devices: list[int] = []
        names: list[str] = []
        moments: list[datetime] = []
        values: list[float] = []
        for one in heard:
            device = one.device
            for each in one.measured:
                count = len(each.values)
                communities += [device.community_id] * count
                devices += [device.device_id] * count
                names += each.values
                moments += [each.ts] * count
                values += each.values.values()
        signals = [numbers[name] for name in names]
        await telemetry.write_readings(conn, communities, devices, signals, moments, values)
        events = [
            (one.device.community_id, one.device.device_id, said.code, said.ts, said.detail)
            for one in heard
            for said in one.events
        ]
        if events:
            await telemetry.write_events(conn, *zip(*events, strict=True))

    async def _keep(self, conn: AsyncConnection, letters: list[DeadLetter]) -> None:
        ids = await store.keep_letters(conn, one_each(letters))
        await notify(conn, "deadletter", ids)


def _fault(error: Exception) -> Refusal:
    """Say why a message that was understood cannot be taken."""
    if isinstance(error, Error) and is_data_at_fault(error):
        said = shown(error.diag.message_primary or str(error))
        return Refusal("refused_by_database", f"{error.sqlstate}: {said}" if error.sqlstate else said)
    log.error("a message could not be taken; it waits as a dead letter", exc_info=error)
    return Refusal("our_fault", f"{type(error).__name__}: {shown(str(error))}")
