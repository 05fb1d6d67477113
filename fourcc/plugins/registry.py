"""The registry, a mapping tag -> Format: the heart of the project.

Formats are found through an entry-point group (`fourcc.plugins.entries`); the built-in ones come the same way as a
plugin's. Listing the tags imports no format; one is imported (`fourcc.plugins.loading`) when it is first asked for. A
plugin that cannot be imported, or breaks the contract, is listed as broken with its reason and disturbs nothing else.
Code that would import all of them goes by `Registry.working`, which imports a third party's in another process first. A
file never names code: only what is installed is ever imported.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

from fourcc.errors import DuplicateTagError, MissingFormatError, PluginError, UsageError
from fourcc.plugins.entries import FORMATS, OWN, Entry, allowed_by_environment, installed_entries
from fourcc.plugins.loading import NOT_ALLOWED, ONE_OF_TWO, Broken, Loader, checked_format
from fourcc.records import Records
from fourcc.tags import FourCC, as_tag

if TYPE_CHECKING:
    from fourcc.format import Format

T = TypeVar("T")

UNPACKAGED = "unpackaged"  # stands for the distribution of a format that has none


class Registry(Mapping[FourCC | str, "Format"], Records):
    """The installed formats by their tags.

    `registry["Q4_0"]` is a format, imported at first use. Iteration, `len` and `in` go by the declared tags and import
    nothing, so they count a broken plugin until it is asked for. `entry` tells who declares a tag, `foreign` finds a
    format by its id in another system, `broken` lists what cannot be used, `trying` adds a format for a while.

    Args:
        scan: yields the entries; called once, when first needed.
        allowed: distributions whose plugins may be loaded beside fourcc's own; None: all.
    """

    __eq__ = object.__eq__  # a Mapping's would import every format
    __hash__ = object.__hash__

    def __init__(
        self, scan: Callable[[], Iterable[Entry]] | None = None, allowed: frozenset[str] | None = None
    ) -> None:
        self._scan = scan or installed_entries
        self._allowed = allowed
        self._entries: dict[FourCC, list[Entry]] | None = None
        self._loader = Loader("format", checked_format)
        self._loaded: dict[FourCC, Format] = {}
        self._lock = RLock()  # threads ask for formats, and importing redirects stdout for all of them

    def __iter__(self) -> Iterator[FourCC]:
        """The declared tags in order, fourcc's own first."""
        entries = self._declared()
        return iter(sorted(entries, key=lambda tag: (entries[tag][0].distribution != OWN, tag)))

    def __len__(self) -> int:
        return len(self._declared())

    def __contains__(self, tag: object) -> bool:
        try:
            return isinstance(tag, (FourCC, str)) and as_tag(tag) in self._declared()
        except ValueError:  # a text that spells no tag
            return False

    def __getitem__(self, tag: FourCC | str) -> Format:
        """The format of a tag, or of a text that spells one, imported at first use.

        Raises:
            UsageError: the text spells no tag.
            MissingFormatError: a KeyError, too: no installed distribution declares it.
            DuplicateTagError: more than one does.
            PluginError: the one that does is broken.
        """
        if not isinstance(tag, FourCC):
            tag = _spelled(tag)
        fmt = self._loaded.get(tag)
        if fmt is None:
            with self._lock:
                fmt = self._loaded.get(tag) or self._loader.load(self.entry(tag))
                self._loaded[tag] = fmt
        return fmt

    def find(self, tag: FourCC, made_by: object) -> Format:
        """The format of a tensor's tag; where it is missing, the message names the package that encoded the tensor.

        Args:
            tag: the format's.
            made_by: the package's distribution and version, or None where the file does not tell.

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
        """The entry that declares a tag; nothing is imported. Raises as ``registry[tag]`` does."""
        entries = self._declared().get(tag, [])
        if len(entries) > 1:
            raise DuplicateTagError(
                f"the tag {tag} is declared by {' and by '.join(sorted(entry.owner for entry in entries))}",
                hint=ONE_OF_TWO,
            )
        if not entries:
            raise self._missing(tag)
        return entries[0]

    def _missing(self, tag: FourCC) -> PluginError:
        """The error for a tag that no usable entry declares."""
        broken = self._loader.broken()
        reasons = [f"{each.entry.owner}: {each.reason}" for each in broken if each.entry.name == str(tag)]
        if reasons:
            return PluginError(f"the format {tag} cannot be used: {'; '.join(reasons)}")
        entries = [*(entry for twins in self._declared().values() for entry in twins), *(each.entry for each in broken)]
        hint = f"Install the package that declares {tag} in the entry-point group {FORMATS}."
        for entry in entries:
            if entry.name.lower() == str(tag).lower():
                hint = f"Did you mean {entry.name}, of {entry.owner}?"
        return MissingFormatError(f"no installed package provides the format {tag}", hint=hint)

    def foreign(self, system: str, identity: int | str) -> Format | None:
        """The format with this id in another system, or None; plugins are imported only if no built-in format fits.

        Args:
            system: for example ``"ggml"``.
            identity: for example 2.

        Raises:
            DuplicateTagError: no built-in format has the id, and several plugins' formats have it.
        """
        entries = self._declared()
        own = (tag for tag in self if entries[tag][0].distribution == OWN)
        for fmt, _ in self._usable(own):
            if fmt.foreign.get(system) == identity:
                return fmt
        claims = [(fmt, entry) for fmt, entry in self.working() if fmt.foreign.get(system) == identity]
        if len(claims) > 1:
            named = " and by ".join(sorted(f"{fmt.tag} of {entry.owner}" for fmt, entry in claims))
            raise DuplicateTagError(
                f"the id {identity} of {system} is claimed by {named}",
                hint=ONE_OF_TWO,
            )
        return claims[0][0] if claims else None

    def working(self, tags: Iterable[FourCC] | None = None) -> Iterator[tuple[Format, Entry]]:
        """The formats that can be used, each with its entry; third parties' are imported in another process first.

        Args:
            tags: declared ones, to look no further; None: all.
        """
        chosen = list(iter(self)) if tags is None else list(tags)
        declared, loaded = self._declared(), self._loaded
        self._loader.try_apart(
            entry for tag in chosen if tag not in loaded and len(twins := declared.get(tag, ())) == 1 for entry in twins
        )
        yield from self._usable(chosen)

    def _usable(self, tags: Iterable[FourCC]) -> Iterator[tuple[Format, Entry]]:
        for tag in tags:
            try:
                found = self[tag], self.entry(tag)
            except PluginError:
                continue
            yield found

    def records(self) -> list[dict[str, Any]]:
        """The formats that can be used; all are imported for it, as `working` does.

        Returns:
            For each: ``tag``, ``name``, ``summary``, ``bits_per_weight`` (of a large matrix, with default parameters),
            ``block``, ``real`` (not integers), ``encodes``, ``native`` (whether it has a kernel of its own), ``needs``
            and ``uses`` (calibration data), ``foreign`` (its ids elsewhere) and ``provider``.
        """
        return [
            {
                **fmt.fields(),
                "encodes": fmt.encode is not None,
                "native": fmt.kernel is not None,
                "provider": entry.owner,
            }
            for fmt, entry in self.working()
        ]

    def _repr_html_(self) -> str:
        """HTML for notebooks: the formats, fewest bits first."""
        from fourcc.drawing import notebook

        rows = sorted(self.records(), key=lambda record: (record["bits_per_weight"], record["tag"]))
        columns = ("tag", "bits_per_weight", "block", "encodes", "native", "needs", "provider", "summary")
        return notebook.output(notebook.short_table(rows, columns, caption=f"{len(rows)} formats"))

    @contextlib.contextmanager
    def trying(self, fmt: Format, owner: tuple[str, str] = (UNPACKAGED, "0")) -> Iterator[Format]:
        """Adds a format that no package declares, in place of any with its tag, until the block is left.

        For trying a format before it is packaged. It must keep the contract of a plugin, the tag's spelling included.
        The caller sees to it that no thread uses the replaced format meanwhile.

        Args:
            fmt: the format.
            owner: distribution and version that it passes for.

        Raises:
            PluginError: it does not keep the contract, or its tag is reserved.
        """
        tag = fmt.tag
        entry = Entry(str(tag), f"{owner[0]}:{tag}", *owner, load=lambda: fmt)
        entries, added = self._declared(), dict[FourCC, list[Entry]]()
        self._admit(entry, added)
        try:
            loaded = self._loader.load(entry)
        finally:
            self._loader.forgive(entry)
        with self._lock:
            before = entries.get(tag), self._loaded.get(tag)
            entries[tag], self._loaded[tag] = added[tag], loaded
        try:
            yield loaded
        finally:
            with self._lock:
                _restore(entries, tag, before[0])
                _restore(self._loaded, tag, before[1])

    def broken(self) -> list[Broken]:
        """Every entry that cannot be used; all formats are imported to find out, as `working` does."""
        for _ in self.working():
            pass
        return self._loader.broken()

    def _declared(self) -> dict[FourCC, list[Entry]]:
        with self._lock:
            if self._entries is None:
                entries: dict[FourCC, list[Entry]] = {}
                for entry in self._scan():
                    self._admit(entry, entries)
                self._entries = entries
            return self._entries

    def _admit(self, entry: Entry, entries: dict[FourCC, list[Entry]]) -> None:
        """Adds an entry under its tag, or counts it as broken where it may not have that tag."""
        try:
            tag = as_tag(entry.name)
        except ValueError as error:
            self._loader.refuse(entry, str(error))
            return
        reason = entry.misfit
        if entry.distribution != OWN and self._allowed is not None and entry.distribution not in self._allowed:
            reason = NOT_ALLOWED
        elif reason is None and tag.reserved and entry.distribution != OWN:
            reason = f"{tag} is reserved: a third party's tag has a lower-case letter"
        if reason is None:
            entries.setdefault(tag, []).append(entry)
        else:
            self._loader.refuse(entry, reason)


def _spelled(text: str) -> FourCC:
    try:
        return as_tag(text)
    except ValueError as error:
        raise UsageError(str(error), hint="`fourcc formats` lists the tags.") from error


def _restore(table: dict[FourCC, T], tag: FourCC, value: T | None) -> None:
    """Puts back what a table held for a tag before; None: nothing."""
    if value is None:
        table.pop(tag, None)
    else:
        table[tag] = value


registry = Registry(allowed=allowed_by_environment())
