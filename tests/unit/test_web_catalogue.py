"""Everything a page says is said in both languages."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from web.i18n import LOCALE_DIR, load_catalogues, preferred

WEB = LOCALE_DIR.parent
KEYWORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}


def _messages() -> Iterator[tuple[str, int, str]]:
    found = extract_from_dir(
        WEB,
        [("**.py", "python"), ("templates/**.html", "jinja2.ext.babel_extract")],
        options_map={"templates/**.html": {"extensions": "jinja2.ext.i18n"}},
        keywords=KEYWORDS,
    )
    for path, line, message, _, _ in found:
        yield path, line, message[0] if isinstance(message, tuple) else message


def test_every_message_is_translated() -> None:
    chinese = load_catalogues()["zh"]
    missing = {
        f"{path}:{line}: {message!r}"
        for path, line, message in _messages()
        if message not in chinese._catalog and (message, 0) not in chinese._catalog  # noqa: SLF001 - no other way to ask
    }
    assert missing == set()


def test_no_translation_is_left_over() -> None:
    said = {message for _, _, message in _messages()}
    kept = {
        message.id[0] if isinstance(message.id, (tuple, list)) else message.id
        for path in (LOCALE_DIR / "zh_CN" / "LC_MESSAGES").glob("*.po")
        for message in read_po(BytesIO(path.read_bytes()))
        if message.id
    }
    assert kept - said == set()


@pytest.mark.parametrize("path", sorted(Path(LOCALE_DIR).rglob("*.po")), ids=lambda path: path.name)
def test_placeholders_survive_translation(path: Path) -> None:
    with path.open("rb") as source:
        problems = [f"{message.id!r}: {error}" for message in read_po(source) for error in message.check()]
    assert problems == []


@pytest.mark.parametrize(
    ("header", "language"),
    [("en-GB,en;q=0.9", "en"), ("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("fr,en", "en"), ("", "zh")],
)
def test_the_browser_is_asked_once(header: str, language: str) -> None:
    assert preferred(header) == language


def test_what_is_said_twice_is_said_alike() -> None:
    """All files of a language are read as one: of two translations of a word a page would show either."""
    said: dict[str, set[str]] = {}
    for path in (LOCALE_DIR / "zh_CN" / "LC_MESSAGES").glob("*.po"):
        for message in read_po(BytesIO(path.read_bytes())):
            if message.id:
                said.setdefault(str(message.id), set()).add(str(message.string))
    assert {key: words for key, words in said.items() if len(words) > 1} == {}
