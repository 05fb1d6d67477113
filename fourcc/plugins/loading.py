"""Loading plugins: what the object must be, what its import may not do, and which of them cannot be used."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from fourcc.errors import PluginError, memory_is_short
from fourcc.plugins.entries import OWN, Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fourcc.format import Format

T = TypeVar("T")

NOT_ALLOWED = "FOURCC_PLUGINS does not allow its distribution"
ONE_OF_TWO = "Uninstall one of them, or name the one to use in FOURCC_PLUGINS."


@attrs.frozen
class Broken:
    """An entry that cannot be used, and why."""

    entry: Entry
    reason: str


class Loader(Generic[T]):
    """Loads the plugins of a group, and remembers which of them cannot be used, and why.

    Args:
        word: for a plugin of the group: ``format``.
        check: (loaded object, entry) -> the plugin. Whatever it raises makes the plugin one that cannot be used.
    """

    def __init__(self, word: str, check: Callable[[object, Entry], T]) -> None:
        self._word, self._check = word, check
        self._reasons: dict[Entry, str] = {}
        self._tried: set[Entry] = set()

    def load(self, entry: Entry) -> T:
        """An entry's plugin, imported and checked. Raises PluginError, and remembers why, where that fails."""
        if entry in self._reasons:
            raise self.refusal(entry)
        try:
            with contextlib.nullcontext() if entry.distribution == OWN else guarded():
                loaded = entry.load()
            return self._check(loaded, entry)
        except (KeyboardInterrupt, MemoryError):
            raise
        except BaseException as error:  # a plugin may raise SystemExit when imported
            if memory_is_short(error):
                raise MemoryError from error
            self._reasons[entry] = f"{type(error).__name__}: {error}"
            raise self.refusal(entry) from error

    def try_apart(self, entries: Iterable[Entry]) -> None:
        """Imports third parties' plugins in another process, once; those that it does not survive are broken.

        To be called before plugins are loaded that the user has not named.
        """
        untried = [
            each
            for each in entries
            if each.distribution != OWN and each not in self._tried and each not in self._reasons
        ]
        if not untried:
            return
        from fourcc.plugins.apart import ends_of_imports  # starts processes, which most commands have no need of

        ends = ends_of_imports([each.target for each in untried])
        self._tried.update(untried)
        for each in untried:
            if each.target in ends:
                self.refuse(each, f"imported in a process of its own, {ends[each.target]}")

    def refuse(self, entry: Entry, reason: str) -> None:
        """Counts an entry as broken from now on; it is not imported."""
        self._reasons[entry] = reason

    def forgive(self, entry: Entry) -> None:
        """Forgets that an entry is broken."""
        self._reasons.pop(entry, None)

    def broken(self) -> list[Broken]:
        """The entries that are known to be broken."""
        return [Broken(entry, reason) for entry, reason in self._reasons.items()]

    def refusal(self, entry: Entry) -> PluginError:
        """The error for a broken entry."""
        return PluginError(
            f"the {self._word} {entry.name} of {entry.owner} ({entry.target}) cannot be used: {self._reasons[entry]}",
            hint="`fourcc formats --broken` lists every such plugin.",
        )


def checked_format(loaded: object, entry: Entry) -> Format:
    """The loaded object, if it is a format that keeps the contract.

    Raises:
        TypeError: it is something else.
        ValueError: its declaration contradicts itself, or its entry point.
    """
    from fourcc.format import Format  # loads numpy, which listing the tags must not

    if not isinstance(loaded, Format):
        raise TypeError(f"{entry.target} is a {type(loaded).__name__}, expected a fourcc.Format")
    if str(loaded.tag) != entry.name:
        raise ValueError(f"its tag is {loaded.tag}, its entry point is named {entry.name}")
    loaded.check()
    return loaded


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Keeps a plugin's output out of stdout, which is for data; restores the working directory."""
    try:
        home = os.getcwd()  # noqa: PTH109 - a text that chdir takes back
    except OSError:  # the directory is gone: then nobody can leave it
        home = None
    try:
        with contextlib.redirect_stdout(sys.stderr), _stdout_of_the_process_aside():
            yield
    finally:
        if home is not None:
            os.chdir(home)


@contextlib.contextmanager
def _stdout_of_the_process_aside() -> Iterator[None]:
    """Sends to stderr what is written to file descriptor 1, too: by compiled code, or by a child."""
    try:
        kept = os.dup(1)
    except OSError:  # it is closed
        yield
        return
    try:
        with contextlib.suppress(OSError):  # stderr is closed
            os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
