"""A site's own rules stand beside the shipped ones, and a mistake in them is said before anything starts."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from clerestory.cli import main
from rules.book import load_rulebook, site_rulebook

OWN = """\
asset_class: bin
rules:
  bin_hot_day:
    severity: info
    title: {zh: 高温天, en: Hot day}
    meaning: {zh: 桶内温度高于四十度。, en: The bin is above forty degrees.}
    todo: {zh: [打开桶盖散热], en: [Open the lid]}
    safety: {zh: 小心烫手。, en: It may be hot.}
    when: temperature_c > 40.0
"""


def test_own_rules_stand_beside_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN, encoding="utf-8")
    own = site_rulebook(tmp_path)
    assert {rule.code for rule in own.rules} == {rule.code for rule in load_rulebook().rules} | {
        "bin_hot_day"
    }


def test_a_mistake_in_them_keeps_a_process_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.yaml").write_text(OWN.replace("temperature_c", "temprature_c"), encoding="utf-8")
    monkeypatch.setenv("CLERESTORY_RULES_DIR", str(tmp_path))
    monkeypatch.setenv("CLERESTORY_DATA_DIR", str(tmp_path / "data"))
    result = CliRunner().invoke(main, ["gateway"])
    assert result.exit_code == 1
    assert "own.yaml:9" in result.output
    assert "temperature_c" in result.output
    assert not (tmp_path / "data").exists()


def test_a_folder_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLERESTORY_RULES_DIR", "/nowhere/rules")
    result = CliRunner().invoke(main, ["worker"])
    assert result.exit_code == 1
    assert "CLERESTORY_RULES_DIR" in result.output
    assert "/nowhere/rules" in result.output
