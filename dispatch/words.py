"""What people write about an order: kept as it is, unless it cannot be kept. Pure."""

from config.text import Text, misprint
from dispatch.refusals import BadField

LONGEST = 2000


def plain(field: str, words: str, most: int = LONGEST) -> str:
    """Trim a person's words; refuse what can be neither kept nor shown, and what is too long."""
    trimmed = words.strip()
    if len(trimmed) > most:
        right = Text(zh=f"最多 {most} 字", en=f"at most {most} characters")
        raise BadField(field, f"{trimmed[:20]}… ({len(trimmed)})", right)
    wrong = misprint(trimmed)
    if wrong is not None:
        raise BadField(field, trimmed[:20], wrong)
    return trimmed


def both(words: Text | str, field: str = "why") -> Text:
    """Keep a person's own words in both languages; what is written in both is kept as it is."""
    if isinstance(words, Text):
        return words
    said = plain(field, words)
    return Text(zh=said, en=said)
