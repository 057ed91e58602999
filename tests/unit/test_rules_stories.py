"""What the rule language promises, told as stories: ladders, flapping, times of day."""

from pathlib import Path

import pytest

from rules.scenario import run_file

STORIES = sorted((Path(__file__).parent / "stories").glob("*.yaml"))


@pytest.mark.parametrize(
    "file", [file for file in STORIES if file.stem != "rules"], ids=lambda file: str(file.stem)
)
def test_every_story_ends_as_told(file: Path) -> None:
    """Need 7: clear after a time without recurrence, step down in time. Need 8: silence ends nothing."""
    wrong = [
        "\n".join([outcome.name, *outcome.difference()]) for outcome in run_file(file) if not outcome.is_right
    ]
    assert wrong == []
