"""What docs/rules.md shows is true: every rule in it compiles, every story ends as it says."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from rules.book import load_rulebook
from rules.scenario import run_file
from tests.unit.rule_parts import a_rule_file

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = re.findall(r"```yaml\n(.*?)```", (DOCS / "rules.md").read_text("utf-8"), re.DOTALL)


def kind_of(block: str) -> str:
    content: Any = YAML(typ="safe").load(block)
    return next(
        word for word in ("scenarios", "asset_class", "severity", "inhibited_by", "group") if word in content
    )


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_block_of_yaml_is_right(block: str, tmp_path: Path) -> None:
    """A whole file, a story, or the logic of one rule, to which texts are added."""
    match kind_of(block):
        case "scenarios":
            folder = tmp_path / "docs"
            folder.mkdir()
            (tmp_path / "config").symlink_to(DOCS.parent / "config")
            file = folder / "stories.yaml"
            file.write_text(block, encoding="utf-8")
            assert [outcome.difference() for outcome in run_file(file) if not outcome.is_right] == []
        case "asset_class":
            file = tmp_path / "rules.yaml"
            file.write_text(block, encoding="utf-8")
            assert load_rulebook([file]).rules
        case "severity":
            file = a_rule_file(tmp_path, block)
            file.write_text(
                file.read_text("utf-8").replace("    severity: minor\n    title", "    title"), "utf-8"
            )
            assert load_rulebook([file]).rule("tried")
        case _:
            logic = f"when: tilted\nfor: 5m\n{block}"
            assert load_rulebook([a_rule_file(tmp_path, logic)]).rule("tried")


def test_there_are_blocks_to_try() -> None:
    assert len(BLOCKS) >= 6
