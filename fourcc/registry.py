"""Tag -> Format, through the entry-point group ``fourcc.formats``; the built-in formats come the same way.

Listing the tags imports no format. A plugin that cannot be imported, or declares what it may not, is listed as broken
with its reason and disturbs nothing else. A file never names code: only what is installed is ever imported.
"""

from __future__ import annotations

import contextlib
import os
import sys
from threading import RLock
from typing import TYPE_CHECKING, TypeVar

import attrs

from fourcc.entries import GROUP, OWN, Entry, allowed_by_environment, installed_entries
from fourcc.errors import DuplicateTagError, MissingFormatError, PluginError, UsageError, memory_is_short
from fourcc.spec import API
from fourcc.tags import FourCC, as_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fourcc.format import Format

T = TypeVar("T")

UNPACKAGED = "unpackaged"  # what stands for the distribution of a format that has none


@attrs.frozen
class Broken:
    """An entry that cannot be used, and why."""

    entry: Entry
    reason: str


class Registry:
    """The formats that are installed.

    Args:
        scan: gives the entries; called once, when first needed.
        allowed: distributions whose plugins may be loaded beside fourcc's own; None: all.
    """

    def __init__(
        self, scan: Callable[[], Iterable[Entry]] | None = None, allowed: frozenset[str] | None = None
    ) -> None:
        self._scan = scan or installed_entries
        self._allowed = allowed
        self._entries: dict[FourCC, list[Entry]] | None = None
        self._broken: dict[Entry, str] = {}
        self._loaded: dict[FourCC, Format] = {}
        self._lock = RLock()  # threads ask for formats, and importing redirects stdout for all of them

    def __iter__(self) -> Iterator[FourCC]:
        """The declared tags in order, fourcc's own first; nothing is imported."""
        entries = self._found()
        return iter(sorted(entries, key=lambda tag: (entries[tag][0].distribution != OWN, tag)))

    def __contains__(self, tag: object) -> bool:
        try:
            return isinstance(tag, (FourCC, str)) and as_tag(tag) in self._found()
        except ValueError:  # a text that spells no tag
            return False

    def __getitem__(self, tag: FourCC | str) -> Format:
        """The format of a tag, or of a text that spells one, imported at first use.

        Raises:
            UsageError: the text spells no tag.
            MissingFormatError: no installed distribution declares it.
            DuplicateTagError: more than one does.
            PluginError: the one that does is broken.
        """
        if not isinstance(tag, FourCC):
            tag = _spelled(tag)
        found = self._loaded.get(tag)
        if found is None:
            with self._lock:
                found = self._loaded.get(tag) or self._load(self.entry(tag))
                self._loaded[tag] = found
        return found

    def find(self, tag: FourCC, made_by: object) -> Format:
        """The format of a tag; where it is missing, the message says which package a file's tensor was made with.

        Args:
            tag: the format's.
            made_by: distribution and version, or None where nobody knows.

        Raises:
            PluginError: as ``registry[tag]`` does.
        """
        try:
            return self[tag]
        except MissingFormatError as error:
            if made_by is None:
                raise
            raise MissingFormatError(error.what, hint=f"It was made with {made_by}: install that package.") from None

    def entry(self, tag: FourCC) -> Entry:
        """Who declares a tag. Raises as ``registry[tag]`` does, but imports nothing."""
        entries = self._found().get(tag, [])
        if len(entries) > 1:
            raise DuplicateTagError(
                f"the tag {tag} is declared by {' and by '.join(sorted(entry.owner for entry in entries))}",
                hint="Uninstall one of them, or name the others in FOURCC_PLUGINS.",
            )
        if not entries:
            reasons = [f"{b.entry.owner}: {b.reason}" for b in self._listed_broken() if b.entry.name == str(tag)]
            if reasons:
                raise PluginError(f"the format {tag} cannot be used: {'; '.join(reasons)}")
            raise MissingFormatError(
                f"no installed package provides the format {tag}",
                hint=f"Install the package that declares {tag} in the entry-point group {GROUP}.",
            )
        return entries[0]

    def foreign(self, system: str, identity: int | str) -> Format | None:
        """The format with this id in another system; third parties' are imported only if none of fourcc's own fits.

        Args:
            system: for example ``"ggml"``.
            identity: for example 2.

        Raises:
            DuplicateTagError: none of fourcc's own has the id, and more than one of third parties'.
        """
        claims = []
        for tag in self:
            with contextlib.suppress(PluginError):
                found, entry = self[tag], self.entry(tag)
                if found.spec.foreign.get(system) != identity:
                    continue
                if entry.distribution == OWN:
                    return found
                claims.append((found, entry))
        if len(claims) > 1:
            named = " and by ".join(sorted(f"{found.spec.tag} of {entry.owner}" for found, entry in claims))
            raise DuplicateTagError(
                f"the id {identity} of {system} is claimed by {named}",
                hint="Uninstall one of them, or name the others in FOURCC_PLUGINS.",
            )
        return claims[0][0] if claims else None

    @contextlib.contextmanager
    def trying(self, found: Format, owner: tuple[str, str] = (UNPACKAGED, "0")) -> Iterator[Format]:
        """Has a format that no package declares, in place of any with its tag, until the block is left.

        For trying out what is not packaged yet. It is held to what is asked of a plugin, the tag's spelling included;
        what it does with threads that are at work meanwhile is the caller's concern.

        Args:
            found: the format.
            owner: distribution and version that it is to pass for.

        Raises:
            PluginError: it does not keep the contract, or its tag is reserved.
        """
        tag = found.spec.tag
        entry = Entry(str(tag), f"{owner[0]}:{tag}", *owner, load=lambda: found)
        entries, with_it = self._found(), dict[FourCC, list[Entry]]()
        self._admit(entry, with_it)
        try:
            if entry in self._broken:
                raise self._refusal(entry)
            loaded = self._load(entry)
        finally:
            self._broken.pop(entry, None)
        with self._lock:
            before = entries.get(tag), self._loaded.get(tag)
            entries[tag], self._loaded[tag] = with_it[tag], loaded
        try:
            yield loaded
        finally:
            with self._lock:
                _put_back(entries, tag, before[0])
                _put_back(self._loaded, tag, before[1])

    def refuse(self, entry: Entry, reason: str) -> None:
        """Counts an entry as broken from now on, without importing it."""
        with self._lock:
            self._broken[entry] = reason

    def broken(self) -> list[Broken]:
        """Every entry that cannot be used. Imports all plugins to find out."""
        for tag in self:
            with contextlib.suppress(PluginError):
                self[tag]
        return self._listed_broken()

    def _listed_broken(self) -> list[Broken]:
        return [Broken(entry, reason) for entry, reason in self._broken.items()]

    def _found(self) -> dict[FourCC, list[Entry]]:
        with self._lock:
            if self._entries is None:
                entries: dict[FourCC, list[Entry]] = {}
                for entry in self._scan():
                    self._admit(entry, entries)
                self._entries = entries
            return self._entries

    def _admit(self, entry: Entry, entries: dict[FourCC, list[Entry]]) -> None:
        try:
            tag = as_tag(entry.name)
        except ValueError as error:
            self._broken[entry] = str(error)
            return
        if entry.distribution != OWN and self._allowed is not None and entry.distribution not in self._allowed:
            self._broken[entry] = "FOURCC_PLUGINS does not allow its distribution"
        elif tag.reserved and entry.distribution != OWN:
            self._broken[entry] = f"{tag} is reserved: a third party's tag has a lower-case letter"
        else:
            entries.setdefault(tag, []).append(entry)

    def _load(self, entry: Entry) -> Format:
        if entry in self._broken:
            raise self._refusal(entry)
        try:
            with contextlib.nullcontext() if entry.distribution == OWN else _guarded():
                loaded = entry.load()
            return _checked(loaded, entry)
        except (KeyboardInterrupt, MemoryError):
            raise
        except BaseException as error:  # a plugin may raise SystemExit when imported
            if memory_is_short(error):
                raise MemoryError from error
            self._broken[entry] = f"{type(error).__name__}: {error}"
            raise self._refusal(entry) from error

    def _refusal(self, entry: Entry) -> PluginError:
        return PluginError(
            f"the format {entry.name} of {entry.owner} ({entry.target}) cannot be used: {self._broken[entry]}",
            hint="`fourcc formats --broken` lists every such plugin.",
        )


def _spelled(text: str) -> FourCC:
    try:
        return as_tag(text)
    except ValueError as error:
        raise UsageError(str(error), hint="`fourcc formats` lists the tags.") from error


def _put_back(table: dict[FourCC, T], tag: FourCC, value: T | None) -> None:
    """What a table held of a tag before."""
    if value is None:
        table.pop(tag, None)
    else:
        table[tag] = value


def _checked(loaded: object, entry: Entry) -> Format:
    """The loaded object, if it keeps the contract; raises TypeError or ValueError where not."""
    from fourcc.format import Format

    if not isinstance(loaded, Format):
        raise TypeError(f"{entry.target} is a {type(loaded).__name__}, expected a fourcc.Format")
    spec = loaded.spec
    if spec.api != API:
        older = "the plugin" if spec.api < API else "fourcc"
        raise ValueError(f"made for format API {spec.api}, this fourcc has {API}; upgrade {older}")
    if str(spec.tag) != entry.name:
        raise ValueError(f"its tag is {spec.tag}, its entry point is named {entry.name}")
    spec.check()
    return loaded


@contextlib.contextmanager
def _guarded() -> Iterator[None]:
    """Keeps what a plugin prints while it is imported out of stdout, which is for data; restores the directory."""
    try:
        home = os.getcwd()  # noqa: PTH109 - a text that chdir takes back
    except OSError:  # the directory is gone: then nobody can leave it
        home = None
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        if home is not None:
            os.chdir(home)


registry = Registry(allowed=allowed_by_environment())
