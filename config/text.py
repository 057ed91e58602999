"""Text in both languages of the house."""

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
