"""Kinds of files that plugins read, or write: found, loaded and isolated as formats are.

Those of this package are plain lists in `fourcc.sources` and `fourcc.exporters`: they are tried first, so that a usual
file is opened or written without a look at the installed packages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from fourcc.errors import PluginError
from fourcc.plugins.entries import Entry, allowed_by_environment, installed_entries
from fourcc.plugins.loading import NOT_ALLOWED, ONE_OF_TWO, Broken, Loader

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator


class Kind(Protocol):
    """A kind of file."""

    @property
    def name(self) -> str:
        """Its name."""


K = TypeVar("K", bound=Kind)


class KindRegistry(Generic[K]):
    """The kinds of files of installed plugins, by their names.

    Args:
        word: for a plugin of the group: ``source``.
        group: the entry-point group.
        check: (loaded object, entry) -> the kind. Whatever it raises makes the plugin one that cannot be used.
        own: names of this package's own kinds, which no plugin's may have.
        scan: group -> entries; called once, when first needed.
        allowed: distributions whose plugins may be loaded; None: all.
    """

    def __init__(
        self,
        word: str,
        group: str,
        check: Callable[[object, Entry], K],
        own: Collection[str],
        scan: Callable[[str], Iterable[Entry]] = installed_entries,
        allowed: frozenset[str] | None = None,
    ) -> None:
        self._word, self._group, self._own, self._scan = word, group, own, scan
        self._allowed = allowed_by_environment() if allowed is None else allowed
        self._loader = Loader(word, check)
        self._entries: dict[str, list[Entry]] | None = None
        self._loaded: dict[str, K] = {}

    def names(self) -> list[str]:
        """The declared names in order; nothing is imported."""
        return sorted(self._declared())

    def named(self, name: str) -> K | None:
        """The kind of a name, imported at first use; None where nothing declares it.

        Raises:
            PluginError: it is broken, or several distributions declare it.
        """
        entries = self._declared().get(name, [])
        if len(entries) > 1:
            owners = " and by ".join(sorted(entry.owner for entry in entries))
            raise PluginError(f"the {self._word} {name} is declared by {owners}", hint=ONE_OF_TWO)
        for each in self._loader.broken():
            if each.entry.name == name and not entries:
                raise self._loader.refusal(each.entry)
        for entry in entries:
            if name not in self._loaded:
                self._loaded[name] = self._loader.load(entry)
            return self._loaded[name]
        return None

    def working(self) -> Iterator[tuple[K, Entry]]:
        """The kinds that can be used, each with its entry; all are imported in another process first."""
        declared = self._declared()
        self._loader.try_apart(twins[0] for name, twins in declared.items() if len(twins) == 1)
        for name in self.names():
            try:
                kind = self.named(name)
            except PluginError:
                continue
            if kind is not None:
                yield kind, declared[name][0]

    def refuse(self, entry: Entry, reason: str) -> None:
        """Counts a plugin as broken from now on."""
        self._loader.refuse(entry, reason)
        self._loaded.pop(entry.name, None)

    def broken(self) -> list[Broken]:
        """Every plugin that cannot be used; all are imported to find out, as `working` does."""
        for _ in self.working():
            pass
        twins = [entries for entries in self._declared().values() if len(entries) > 1]
        doubles = [Broken(each, f"{len(entries)} packages declare it") for entries in twins for each in entries]
        return [*self._loader.broken(), *doubles]

    def _declared(self) -> dict[str, list[Entry]]:
        if self._entries is None:
            self._entries = {}
            for entry in self._scan(self._group):
                reason = entry.misfit
                if self._allowed is not None and entry.distribution not in self._allowed:
                    reason = NOT_ALLOWED
                elif reason is None and entry.name in self._own:
                    reason = f"a {self._word} of fourcc's own has that name"
                if reason is None:
                    self._entries.setdefault(entry.name, []).append(entry)
                else:
                    self._loader.refuse(entry, reason)
        return self._entries


def expected(loaded: object, entry: Entry, kind: type[K]) -> K:
    """The loaded object, if it is such a kind, by the name of its entry point. Raises TypeError or ValueError."""
    if not isinstance(loaded, kind):
        raise TypeError(f"{entry.target} is a {type(loaded).__name__}, expected a fourcc.{kind.__name__}")
    if loaded.name != entry.name:
        raise ValueError(f"its name is {loaded.name}, its entry point is named {entry.name}")
    return loaded
