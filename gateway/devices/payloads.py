"""A stranger's payload as people may look at it: short, indented where it is JSON, only text. Pure."""

import json
import unicodedata
from typing import Final

MOST_SHOWN: Final = 4_000
MOST_PARSED: Final = 64 * 1024
BYTES_SHOWN: Final = 512
# Letters, marks, numbers, punctuation, symbols and spaces; not what turns text round or hides it.
_HARMLESS: Final = frozenset("LMNPSZ")
_LINES: Final = frozenset({"\n"})
_BREAKS: Final = frozenset({"\u2028", "\u2029"})


def readable(payload: bytes) -> str:
    """The payload as text; bytes that are no text as hexadecimal."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return _cut(payload[:BYTES_SHOWN].hex(" "), more=len(payload) > BYTES_SHOWN)
    return _cut(_printable(_indented(text)[: MOST_SHOWN + 1]), more=False)


def readable_name(name: str) -> str:
    """A name that a stranger gives itself, as people may look at it."""
    return _cut(_printable(name.replace("\n", "\x00"))[: MOST_SHOWN + 1], more=False)


def _indented(text: str) -> str:
    if len(text) > MOST_PARSED:
        return text
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):  # not JSON, a number of thousands of digits, nested by the thousand
        return text


def _printable(text: str) -> str:
    return "".join(each if _is_harmless(each) else f"\\u{ord(each):04x}" for each in text)


def _is_harmless(character: str) -> bool:
    if character in _LINES:
        return True
    return character not in _BREAKS and unicodedata.category(character)[0] in _HARMLESS


def _cut(text: str, *, more: bool) -> str:
    return f"{text[:MOST_SHOWN]} …" if more or len(text) > MOST_SHOWN else text
