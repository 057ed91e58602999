"""The files under deploy/ are what their programs read; test_seeing.py asks /metrics for all they name."""

import re
from pathlib import Path

import pytest

from clerestory.cli import HOMES
from config.settings import Settings
from tests.deployment import (
    DEPLOY,
    alert_rules,
    dashboard,
    expressions,
    read_yaml,
    settings_named,
    variables_needed,
)

# What only the files beside the settings name.
NO_SETTINGS = {"image"}
ALL_UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
UNITS = [path for path in ALL_UNITS if "/bin/clerestory " in path.read_text(encoding="utf-8")]


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    rules = alert_rules()
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "look"}, rule["alert"]
        assert set(rule["annotations"]) == {"summary", "todo"}, rule["alert"]
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}


def test_every_expression_closes_its_brackets() -> None:
    for where, expression in expressions():
        for opening, closing in ("()", "{}", "[]"):
            assert expression.count(opening) == expression.count(closing), where


def test_no_panel_lies_on_another() -> None:
    taken: set[tuple[int, int]] = set()
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells


def test_every_container_of_ours_runs_a_command_there_is() -> None:
    services = read_yaml(DEPLOY / "compose.yaml")["services"]
    ours = {name: body for name, body in services.items() if "clerestory" in body["image"]}
    assert {"gateway-1", "gateway-2", "worker", "web", "broker-config", "tools"} == set(ours)
    for name, body in ours.items():
        assert body.get("command", ["doctor"])[0] in HOMES, name
        assert body["read_only"], name
        assert body["cap_drop"] == ["ALL"], name
        for needed in body["depends_on"]:
            assert needed in services, name


def test_two_gateways_have_two_names_and_do_not_share_what_mosquitto_would_forget() -> None:
    services = read_yaml(DEPLOY / "compose.yaml")["services"]
    first, second = services["gateway-1"]["environment"], services["gateway-2"]["environment"]
    assert first["CLERESTORY_GATEWAY_ID"] != second["CLERESTORY_GATEWAY_ID"]
    assert "CLERESTORY_MQTT_SHARE" not in {**first, **second}


@pytest.mark.parametrize(
    "path", [*UNITS, DEPLOY / "compose.yaml", DEPLOY / "systemd" / "clerestory.env.example"]
)
def test_every_setting_named_is_one(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert settings_named(text) - NO_SETTINGS - set(Settings.model_fields) == set()


def test_the_example_has_every_variable_of_the_compose_file() -> None:
    needed = variables_needed((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    example = (DEPLOY / ".env.example").read_text(encoding="utf-8")
    offered = set(re.findall(r"^([A-Z_]+)=", example, flags=re.MULTILINE))
    assert needed - offered == {"CLERESTORY_IMAGE"}
    assert offered - needed == set()


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_every_unit_starts_a_command_and_may_do_little(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    started = re.findall(r"^ExecStart=/opt/clerestory/bin/clerestory (\S+)", text, flags=re.MULTILINE)
    assert len(UNITS) == len(ALL_UNITS) - 2, "all but the broker, and who tells it to read its files"
    assert len(started) == 1
    assert started[0] in HOMES
    for line in ("Restart=always", "NoNewPrivileges=yes", "ProtectSystem=strict", "StartLimitIntervalSec=0"):
        assert line in text


def test_the_image_has_every_package() -> None:
    copied = set(
        re.findall(r"^COPY (\w+) \1$", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    packages = {path.parent.name for path in DEPLOY.parent.glob("*/__init__.py")}
    assert copied == packages - {"tests", "benchmarks"}
