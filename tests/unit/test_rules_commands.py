"""`clerestory rules check` and `clerestory rules test`, as a person meets them."""

from pathlib import Path

from click.testing import CliRunner

from clerestory.commands.rules import rules
from rules.book import load_rulebook, shipped_rules
from tests.unit.rule_parts import a_rule_file

STORY = """
rules: [rules.yaml]
scenarios:
  - name: tipped over
    device: {{ profile: bin-native }}
    timeline:
      - {{ at: 1m, readings: {{ tilted: true }} }}
      - {{ at: 9m, readings: {{ tilted: false }} }}
    expect:
      - {{ rule: tried, raised: {raised}, paged: 3m, cleared: 9m }}
"""


def story(folder: Path, raised: str) -> Path:
    a_rule_file(folder, "when: tilted\nfor: 2m")
    file = folder / "story.yaml"
    file.write_text(STORY.format(raised=raised), encoding="utf-8")
    return file


def test_the_shipped_rules_are_checked_where_no_file_is_named() -> None:
    result = CliRunner().invoke(rules, ["check"])
    assert result.exit_code == 0
    count = f"{len(load_rulebook().rules)} rules in {len(shipped_rules())} files"
    assert result.output == f"{count}: no mistakes.\n"


def test_mistakes_are_printed_with_their_place(tmp_path: Path) -> None:
    file = a_rule_file(tmp_path, "when: fill_percnt > 3.0")
    result = CliRunner().invoke(rules, ["check", str(file)])
    assert result.exit_code == 1
    assert f"{file}:4:11: 'fill_percnt' is not a signal of bin" in result.stderr
    assert result.stderr.endswith("1 mistake.\n")


def test_a_story_that_ends_as_told(tmp_path: Path) -> None:
    result = CliRunner().invoke(rules, ["test", str(story(tmp_path, "3m"))])
    assert (result.exit_code, result.output) == (0, "ok    tipped over\n1 scenario, 0 not as expected.\n")


def test_a_story_that_ends_otherwise_is_shown_as_a_difference(tmp_path: Path) -> None:
    file = story(tmp_path, "4m")
    result = CliRunner().invoke(rules, ["test", str(file)])
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f"WRONG tipped over ({file})",
        "        - tried: raised 4m, paged 3m, cleared 9m",
        "        + tried: raised 3m, paged 3m, cleared 9m",
        "1 scenario, 1 not as expected.",
    ]


def test_a_story_of_unknown_names_is_refused(tmp_path: Path) -> None:
    file = story(tmp_path, "3m")
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("tilted: true", "titled: true").replace("rule: tried", "rule: tired"), encoding="utf-8"
    )
    result = CliRunner().invoke(rules, ["test", str(file)])
    assert result.exit_code == 1
    assert f"{file}:7:31: 'titled' is not a known signal; did you mean 'tilted'?" in result.stderr
    assert f"{file}:10:17: 'tired' is not a known rule; did you mean 'tried'?" in result.stderr


def test_a_value_that_a_signal_cannot_have_is_refused(tmp_path: Path) -> None:
    file = story(tmp_path, "3m")
    text = file.read_text(encoding="utf-8")
    for wrong, words in (
        ("tilted: 3", "tilted is true or false, not 3"),
        ("fill_percent: 130", "fill_percent = 130.0 is outside 0.0 to 100.0"),
        ("fill_percent: full", "fill_percent is a number, not 'full'"),
    ):
        file.write_text(text.replace("tilted: true", wrong), encoding="utf-8")
        result = CliRunner().invoke(rules, ["test", str(file)])
        assert result.exit_code == 1
        assert words in result.stderr
