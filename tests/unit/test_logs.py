"""Log lines: one a record whatever is in it, with the fields that a grep or a collector finds."""

import json
import logging
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clerestory.logs import JsonFormat, TextFormat


def record(message: str, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("gateway.session", logging.WARNING, "", 1, message, (), None)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@given(st.text(), st.text())
def test_json_is_one_line_that_reads_back(message: str, topic: str) -> None:
    line = JsonFormat().format(record(message.replace("%", "%%"), topic=topic, order=None))
    assert "\n" not in line
    assert "\r" not in line
    said: dict[str, Any] = json.loads(line)
    assert (said["level"], said["logger"]) == ("warning", "gateway.session")
    assert said.get("topic", "") == topic
    assert "order" not in said


def test_text_has_the_fields_behind_the_sentence() -> None:
    line = TextFormat().format(record("alarm 7 raised", trace="00ff", alarm=7))
    assert line.endswith("WARNING gateway.session: alarm 7 raised trace=00ff alarm=7")


@pytest.mark.parametrize("form", [JsonFormat(), TextFormat()])
def test_a_failure_comes_with_its_traceback(form: logging.Formatter) -> None:
    failed = record("it failed", trace="00ff")
    try:
        int("because")
    except ValueError:
        failed.exc_info = sys.exc_info()
    line = form.format(failed)
    assert "ValueError: invalid literal" in line
    assert line.count("\n") == 0 or isinstance(form, TextFormat)
