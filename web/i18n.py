"""Translations: English is the key, `locale/zh_CN` says it in Chinese.

Catalogues are compiled in memory at start. A room may bring its own `LC_MESSAGES/ROOM.po`; all files of a
language are read together.
"""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Final

from aiohttp import web
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

from config.text import Language

LOCALE_DIR: Final = Path(__file__).parent / "locale"
LOCALES: Final[Mapping[Language, str]] = {"zh": "zh_CN", "en": "en"}
BABEL_LOCALES: Final[Mapping[Language, str]] = {"zh": "zh_Hans_CN", "en": "en_GB"}
HTML_LANGUAGES: Final[Mapping[Language, str]] = {"zh": "zh-CN", "en": "en"}

Catalogues = Mapping[Language, Translations]

LANGUAGE: Final = web.RequestKey("language", str)


def load_catalogues(directory: Path = LOCALE_DIR) -> Catalogues:
    """Compile every `.po` of both languages in memory."""
    return {language: _load(directory / locale / "LC_MESSAGES") for language, locale in LOCALES.items()}


def _load(directory: Path) -> Translations:
    first, *others = [_compile(path) for path in sorted(directory.glob("*.po"))]
    for other in others:
        first.merge(other)  # the language's plural rule stays that of the first
    return first


def _compile(path: Path) -> Translations:
    compiled = BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source, abort_invalid=True))
    compiled.seek(0)
    return Translations(compiled)


def as_language(value: str | None) -> Language | None:
    """Return the language a cookie or form names, or None when it names none of ours."""
    if value == "zh":
        return "zh"
    return "en" if value == "en" else None


def preferred(accept_language: str) -> Language:
    """Choose by the browser's list; Chinese where it names neither."""
    for part in accept_language.lower().split(","):
        tag = part.partition(";")[0].strip()
        if tag.startswith("zh"):
            return "zh"
        if tag.startswith("en"):
            return "en"
    return "zh"


def language_of(request: web.Request) -> Language:
    """Return the language of this request's answer."""
    return as_language(request.get(LANGUAGE)) or "zh"
