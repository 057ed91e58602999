"""The files under deploy/ as tests read them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

DEPLOY = Path(__file__).parents[1] / "deploy"
_NAME = re.compile(r"\b(?:clerestory|process|python)_[a-z0-9_]+\b")
_SELECTED = re.compile(r"\b((?:clerestory|process|python)_[a-z0-9_]+)\{([^}]*)\}")
_LABEL = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)")
_BY = re.compile(r"\bby \(([^)]*)\)")
GIVEN_BY_PROMETHEUS = {"job", "instance", "le"}


def read_yaml(path: Path) -> dict[str, Any]:
    with path.open(encoding="utf-8") as file:
        body: dict[str, Any] = YAML(typ="safe").load(file)
    return body


def alert_rules() -> list[dict[str, Any]]:
    groups = read_yaml(DEPLOY / "prometheus" / "clerestory.rules.yaml")["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    body: dict[str, Any] = json.loads((DEPLOY / "grafana" / "clerestory.json").read_text(encoding="utf-8"))
    return body


def expressions() -> Iterator[tuple[str, str]]:
    """Every PromQL expression with where it stands."""
    for rule in alert_rules():
        yield rule["alert"], rule["expr"]
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def metric_names(expression: str) -> set[str]:
    return set(_NAME.findall(expression))


def labels_of(expression: str) -> set[tuple[str, str]]:
    """Every (metric, label) that an expression selects or sums by; Prometheus' own labels left out."""
    found = {
        (name, label)
        for name, selectors in _SELECTED.findall(expression)
        for label in _LABEL.findall(selectors)
    }
    for listed in _BY.findall(expression):
        for label in listed.split(","):
            found |= {(name, label.strip()) for name in metric_names(expression)}
    return {(name, label) for name, label in found if label not in GIVEN_BY_PROMETHEUS}


def settings_named(text: str) -> set[str]:
    """Every variable with our prefix that a file names, without the prefix, as settings call it."""
    return {name.lower() for name in re.findall(r"\bCLERESTORY_([A-Z_]+)\b", text)}


def variables_needed(text: str) -> set[str]:
    """Every ${NAME…} of a compose file."""
    return set(re.findall(r"(?<!\$)\$\{([A-Z_]+)[:}?-]", text))
