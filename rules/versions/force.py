"""Which words of each rule file are in force: the newest version switched on, else the file. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from rules.book import RuleBook, load_sources
from rules.document import Problem, RuleFileError
from rules.sources import Source
from rules.versions.store import Version


@dataclass(frozen=True, slots=True)
class InForce:
    """What counts now. `newest` has the newest version by file; `troubles` keep some from being used."""

    files: tuple[Source, ...]
    newest: Mapping[str, Version]
    sources: tuple[Source, ...]
    book: RuleBook = field(repr=False)
    troubles: tuple[Problem, ...] = ()

    def file(self, name: str) -> Source | None:
        """The file of a name, as it stands on disk."""
        return next((source for source in self.files if source.name == name), None)

    def source(self, name: str) -> Source | None:
        """The words of a file that are in force."""
        return next((source for source in self.sources if source.name == name), None)

    def version(self, name: str) -> int:
        """The number of a file's newest version; 0 where it has none."""
        found = self.newest.get(name)
        return 0 if found is None else found.version

    def digest(self, name: str) -> str:
        """What tells the file of a name from another of that name; "" where there is none on disk."""
        found = self.file(name)
        return "" if found is None else sha256(found.text.encode()).hexdigest()

    def outdated(self, name: str) -> Version | None:
        """The version in force, where the file has changed since it was made: a release ships another."""
        version, file = self.newest.get(name), self.file(name)
        if version is None or version.text is None or file is None:
            return None
        return version if version.shipped is not None and version.shipped != file.text else None


def in_force(files: Sequence[Source], newest: Iterable[Version]) -> InForce:
    """Put files and versions together. A version that this release cannot read gives way to its file.

    Raises RuleFileError only for what the files themselves say.
    """
    by_file = {version.file: version for version in newest}
    troubles: list[Problem] = []
    sources: list[Source] = []
    for name in dict.fromkeys([*(source.name for source in files), *sorted(by_file)]):
        file = next((source for source in files if source.name == name), None)
        chosen = _chosen(file, by_file.get(name), troubles)
        if chosen is not None:
            sources.append(chosen)
    try:
        book = load_sources(sources)
    except RuleFileError as error:
        # Each is good alone: they do not go together, say a code in two of them.
        troubles += error.problems
        sources = list(files)
        book = load_sources(sources)
    return InForce(tuple(files), by_file, tuple(sources), book, tuple(troubles))


def _chosen(file: Source | None, version: Version | None, troubles: list[Problem]) -> Source | None:
    if version is None or version.text is None:
        return file
    source = switched(version.file, version.version, version.text)
    try:
        load_sources([source])
    except RuleFileError as error:
        troubles += error.problems
        return file
    return source


def switched(file: str, version: int, text: str) -> Source:
    """A version's words; messages name it by its number."""
    return Source(file, f"{file} (version {version})", text)
