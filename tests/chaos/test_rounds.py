"""Six rounds of random trouble with fixed seeds: everything is exactly as the oracle says.

`make chaos` plays more and larger ones. Need 1: timers survive `kill -9`. Need 2: one alarm under messages
that come at the same moment. Need 3: acknowledged means stored. Need 4: a backlog loses nothing and alarms
nobody about what is over. Need 10: nothing is lost, and nothing out of order, on reconnect.
"""

from pathlib import Path

import pytest

from tests.chaos.__main__ import plan_of
from tests.chaos.act import Theatre
from tests.mosquitto import mosquitto_program

ROUNDS = ((6, 1, ""), (8, 1, ""), (112, 1, ""), (200, 2, "share"), (401, 4, "share"), (611, 2, "standby"))
"""Seed, gateways, and how these divide what comes."""


@pytest.mark.timeout(900)
@pytest.mark.skipif(mosquitto_program() is None, reason="mosquitto is not installed (apt install mosquitto)")
async def test_rounds_of_random_trouble_leave_exactly_what_the_oracle_says(reachable_tmp_path: Path) -> None:
    """Needs 1, 2, 3, 4 and 10, under the faults that each seed draws."""
    async with Theatre.opened(reachable_tmp_path) as theatre:
        for seed, gateways, how in ROUNDS:
            result = await theatre.play(plan_of(seed, gateways, "small", standby=how == "standby"))
            assert result.words == [], f"seed {seed}, {gateways} gateway(s) {how}: {result.faults}"
