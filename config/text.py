"""Text in both languages of the house, and what may stand in a text at all."""

import re
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

Language = Literal["zh", "en"]


class Text(BaseModel):
    """The same sentence in Chinese and English; neither may be missing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    zh: str
    en: str

    def __getitem__(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


NO_YES: Final = (Text(zh="否", en="no"), Text(zh="是", en="yes"))
"""A truth in words: `NO_YES[value]`."""

# What no database, workbook or screen takes: control characters but white space, halves of a pair
# (surrogates), and what Unicode says is no character.
_UNPRINTABLE: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def unprintable(text: str) -> str | None:
    """The first character of a text that can be neither kept nor shown, by its number: "U+0000"."""
    found = _UNPRINTABLE.search(text)
    return None if found is None else f"U+{ord(found[0]):04X}"


def printable(text: str, instead: str = "") -> str:
    """The text without what can be neither kept nor shown, or with something instead of each of it."""
    return _UNPRINTABLE.sub(instead, text)


def misprint(text: str) -> Text | None:
    """What is wrong with a text that has such a character; None for one that has none."""
    found = unprintable(text)
    if found is None:
        return None
    return Text(
        zh=f"含有不可显示的字符 {found}，请删除",
        en=f"has the character {found}, which cannot be kept or shown; take it out",
    )
