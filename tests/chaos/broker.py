"""What Mosquitto itself forgets when it is killed: `python -m tests.chaos.broker [TRIALS]`.

Eight publishers, a persistent subscriber that is away, SIGKILL of the broker at some moment. What was
PUBACKed and is not delivered after the restart was lost by the broker; nobody behind it could have kept it.
"""

import asyncio
import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from gateway.link import Link, LinkFailed
from gateway.publisher import Publisher
from gateway.readahead import Publish
from tests.mosquitto import Mosquitto, mosquitto_program

TOPIC = "durability/probe"
LANES = 8


async def trial(seed: int, folder: Path, program: str) -> tuple[int, int, float]:
    """One kill: how many were acknowledged, how many of them lost, the age (s) of the oldest at the kill."""
    rng = Random(seed)  # noqa: S311 - a seed is the point
    broker = Mosquitto(folder / f"trial-{seed}", program)
    broker.start()
    await _subscriber(broker.url, set(), 1.5)  # so long until the session itself is saved
    acknowledged: dict[bytes, float] = {}
    lanes = [asyncio.create_task(_publish(broker.url, n, acknowledged, rng)) for n in range(LANES)]
    await asyncio.sleep(rng.uniform(1.0, 2.5))
    killed = asyncio.get_running_loop().time()
    broker.kill()
    await asyncio.gather(*lanes)
    broker.start()
    delivered: set[bytes] = set()
    await _subscriber(broker.url, delivered, 1.0)
    broker.stop()
    lost = [at for payload, at in acknowledged.items() if payload not in delivered]
    return len(acknowledged), len(lost), killed - min(lost, default=killed)


async def _subscriber(url: str, delivered: set[bytes], seconds: float) -> None:
    def heard(messages: list[Publish]) -> None:
        delivered.update(message.payload for message in messages)

    link = Link(url, "durability", clean_session=False, on_messages=heard)
    await link.open()
    await link.subscribe([TOPIC])
    await asyncio.sleep(seconds)
    await link.close()


async def _publish(url: str, lane: int, acknowledged: dict[bytes, float], rng: Random) -> None:
    loop = asyncio.get_running_loop()
    async with Publisher(url) as publisher:
        number = 0
        while True:
            payload = f"{lane}-{number}".encode()
            number += 1
            try:
                await publisher.publish(TOPIC, payload)
            except LinkFailed:
                return
            acknowledged[payload] = loop.time()
            await asyncio.sleep(rng.uniform(0, 0.02))


async def main(trials: int) -> None:
    """Try so often, and say what came of it."""
    program = mosquitto_program()
    if program is None:
        sys.exit("mosquitto is not installed (apt install mosquitto)")
    with TemporaryDirectory() as folder:
        results = [await trial(seed, Path(folder), program) for seed in range(trials)]
    acknowledged, lost = sum(result[0] for result in results), sum(result[1] for result in results)
    oldest = max(result[2] for result in results)
    sys.stdout.write(
        f"{trials} kills: {lost} of {acknowledged} acknowledged messages lost by the broker,"
        f" the oldest acknowledged {oldest * 1000:.0f} ms before the kill\n"
    )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 12))
