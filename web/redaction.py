"""What a resident may read of other people: a surname, never a telephone number or another's door. Pure."""

import re
from collections.abc import Collection
from typing import Final

from config.text import Language, Text

_COMPOUND: Final = (
    "欧阳",
    "司马",
    "上官",
    "诸葛",
    "司徒",
    "夏侯",
    "皇甫",
    "尉迟",
    "公孙",
    "令狐",
    "慕容",
    "端木",
)
_PHONE: Final = re.compile(r"(?<!\d)(?:\+?86[- ]?)?(1[3-9]\d)[- ]?\d{4}[- ]?(\d{2})(\d{2})(?!\d)")
_LANDLINE: Final = re.compile(r"(?<!\d)(0\d{2,3})[- ]?(\d{7,8})(?!\d)")
_UNIT: Final = re.compile(r"(?<![0-9A-Za-z])([A-Za-z]{0,3}\d{1,3})-(\d{3,4})(?![0-9A-Za-z-])")
_DOOR: Final = re.compile(r"(?<![0-9A-Za-z-])(\d{3,4})(?=\s?(?:室|房))")
_FLAT: Final = re.compile(r"(?i)\b(flat|apartment|apt\.?|unit|room)(\s+)(\d{3,4})\b")
_CJK: Final = re.compile(r"[\u3400-\u9fff]")


def technician(name: str) -> Text:
    """Return a technician's name as residents know it: 王师傅."""
    stripped = name.strip()
    if not stripped:
        return Text(zh="师傅", en="technician")
    if _CJK.match(stripped):
        surname = stripped[:2] if stripped[:2] in _COMPOUND else stripped[:1]
        return Text(zh=f"{surname}师傅", en=f"Technician {surname}")
    surname = stripped.split()[-1]
    return Text(zh=f"{surname} 师傅", en=f"Technician {surname}")


def redact(text: str, *, own_units: Collection[str], names: Collection[str] = ()) -> str:
    """Mask telephone numbers, and doors that are not the reader's own; shorten the given names.

    `own_units` are unit codes such as B3-1602; `names` are people whose surname is all a resident sees.
    """
    own = {code.upper() for code in own_units}
    own_doors = {code.rpartition("-")[2] for code in own}
    for name in sorted(names, key=len, reverse=True):
        if len(name.strip()) > 1:
            text = text.replace(name, technician(name)[_language(name)])
    text = _PHONE.sub(lambda found: f"{found[1]}******{found[3]}", text)
    text = _LANDLINE.sub(lambda found: f"{found[1]}-******{found[2][-2:]}", text)
    text = _UNIT.sub(lambda found: found[0] if found[0].upper() in own else f"{found[1]}-****", text)
    text = _DOOR.sub(lambda found: found[0] if found[1] in own_doors else "****", text)
    return _FLAT.sub(lambda found: found[0] if found[3] in own_doors else f"{found[1]}{found[2]}****", text)


def _language(name: str) -> Language:
    return "zh" if _CJK.match(name.strip()) else "en"
