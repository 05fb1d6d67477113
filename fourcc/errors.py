"""The errors that fourcc raises: a class for every kind of failure.

::

    FourccError                    the only thing that leaves the library on bad input, beside OSError
    ├── UsageError            2    wrong arguments: an output that exists, input and output the same file
    │   ├── MissingTensorError 2   a name that no tensor has; a KeyError, too
    │   └── PolicyError       2    a policy that cannot be carried out; holds every problem found, not only the first
    ├── InputError            3    a file that is not what it claims to be
    │   ├── SourceError       3      a checkpoint: llama2.c, safetensors, GGUF, npz
    │   ├── IndexDamageError  3      head, tail or index of a container
    │   │   └── UnknownVersionError 3  intact, but of a version, or with a feature, that is not known here
    │   ├── TableError        3      the index is intact, but what it says of a tensor cannot be true
    │   ├── ChecksumError     3      a part's bytes differ from their sum
    │   └── NumericError      3      NaN or infinity where the format cannot hold them
    ├── OutputError           4    the output could not be written
    ├── ClusterError          4    workers that are lost, differ, or do not see the files
    └── PluginError           5    a plugin, mostly a format, that is installed but broken
        ├── DuplicateTagError 5      two distributions declare one tag
        └── MissingFormatError 5     no installed distribution declares the tag; a KeyError, too

The number is the exit code of the command line. A message names the file, the tensor, the offset, what was found,
what was expected and what to do next, as far as they are known. ``str(error)`` is safe to print, whatever a file holds:
it never raises, long pieces are cut, and what a terminal could act on is escaped.
"""

from __future__ import annotations

import contextlib
import errno
import re
from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

LONGEST = 1000  # characters of a piece of a message
SHOWN_PROBLEMS = 50  # of a policy's, in the message

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+>")  # as Python shows an object; the address differs from run to run
_SHORTAGE = re.compile(r"cannot allocate memory|failed to map segment|not enough memory", re.IGNORECASE)


def shown(value: object, longest: int = LONGEST) -> str:
    r"""Any value as text for a message: short, printable, and the same in every run.

    >>> shown("a\x1b[2J"), shown(10**5000), shown("x" * 30, 9)
    ('a\\x1b[2J', 'a number of 16610 bits', 'xxxxxxxxx... (30 characters)')
    """
    try:
        text = str(value)
    except Exception:  # noqa: BLE001 - the message reports another error
        bits = value.bit_length() if isinstance(value, int) else None
        text = f"a {type(value).__name__} that cannot be shown" if bits is None else f"a number of {bits} bits"
    return _printable(_ADDRESS.sub(">", _cut(text, longest)))


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text)} characters)"


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def listed(names: Iterable[object], most: int) -> str:
    """Names as a message lists them: the first ones, and how many more there are.

    >>> listed("abc", 3), listed("abcde", 3)
    ('a, b, c', 'a, b, c and 2 more')
    """
    texts = [str(name) for name in names]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return f"{', '.join(texts[:most])}{more}"


def memory_is_short(error: BaseException) -> bool:
    """Whether an error, or one that led to it, means that the system had no memory left.

    The loader of shared objects says so only in its text.
    """
    return any(
        isinstance(each, MemoryError)
        or getattr(each, "errno", None) == errno.ENOMEM
        or (isinstance(each, (OSError, ImportError)) and _SHORTAGE.search(str(each)) is not None)
        for each in _led_to(error)
    )


@contextlib.contextmanager
def breaches_as(breach: Callable[[str], FourccError]) -> Iterator[None]:
    """Turns what a format's function raises into the error that names the function; our own errors pass.

    A lack of memory passes, as MemoryError. SystemExit does not: a command would end as if it were done.

    Args:
        breach: gives the error, for the exception in words.
    """
    try:
        yield
    except (FourccError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        if memory_is_short(error):
            raise MemoryError from error
        raise breach(f"{type(error).__name__}: {shown(error)}") from error


def _led_to(error: BaseException) -> Iterator[BaseException]:
    """The error, what caused it, what caused that, and so on."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__


class FourccError(Exception):
    """Base of every error that fourcc raises on purpose.

    Args:
        what: the failure in a few words.
        file: the file concerned.
        tensor: the tensor (or key) concerned.
        offset: byte offset in the file.
        found: what was there.
        expected: what should have been there.
        hint: what to do next.
        worker: the process, among those of a cluster, that it happened in.
    """

    exit_code: ClassVar[int] = 1

    def __init__(  # noqa: PLR0913 - keyword-only, each a piece of the message
        self,
        what: str,
        *,
        file: object = None,
        tensor: str | None = None,
        offset: int | None = None,
        found: object = None,
        expected: object = None,
        hint: str | None = None,
        worker: str | None = None,
    ) -> None:
        self.what = what
        self.file = None if file is None else str(file)
        self.tensor = tensor
        self.offset = offset
        self.found = found
        self.expected = expected
        self.hint = hint
        self.worker = worker
        super().__init__(what)

    def __str__(self) -> str:
        where = [] if self.file is None else [_printable(self.file)]
        if self.tensor is not None:
            where.append(f"tensor {_cut(str(self.tensor), LONGEST)!r}")
        if self.offset is not None:
            where.append(f"byte {shown(self.offset)}")
        if self.worker is not None:
            where.append(f"worker {shown(self.worker)}")
        text = ": ".join([", ".join(where), shown(self.what)] if where else [shown(self.what)])
        if self.found is not None:
            text += f": found {shown(self.found)}"
        if self.expected is not None:
            text += f", expected {shown(self.expected)}"
        return f"{text}. {shown(self.hint)}" if self.hint else text


class UsageError(FourccError):
    """Wrong arguments."""

    exit_code = 2


class MissingTensorError(UsageError, KeyError):
    """A name that no tensor of a file has; a KeyError, as the mappings name -> QMatrix promise."""


class Problem(NamedTuple):
    """One thing wrong with a policy.

    Attributes:
        path: where in the TOML, for example ``rule[2].tag``; empty for the whole file.
        line: line in the text, from 1, where it is known.
        message: what is wrong.
        hint: the nearest valid name, or what to do.
    """

    path: str
    message: str
    line: int | None = None
    hint: str | None = None

    def __str__(self) -> str:
        where = "" if self.line is None else f"line {self.line}: "
        path = f"{shown(self.path)}: " if self.path else ""
        return f"{where}{path}{shown(self.message)}" + (f" ({shown(self.hint)})" if self.hint else "")


class PolicyError(UsageError):
    """A policy that cannot be carried out, with every problem that was found."""

    def __init__(self, problems: Iterable[Problem], *, file: object = None) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        super().__init__(f"{count} problem{'s' * (count != 1)} in the policy", file=file)

    def __str__(self) -> str:
        more = len(self.problems) - SHOWN_PROBLEMS
        ending = [f"  and {more} more"] if more > 0 else []
        listed = (f"  {problem}" for problem in self.problems[:SHOWN_PROBLEMS])
        return "\n".join([f"{super().__str__()}:", *listed, *ending])


class InputError(FourccError):
    """A file that is not what it claims to be."""

    exit_code = 3


class SourceError(InputError):
    """A checkpoint that cannot be read."""


class IndexDamageError(InputError):
    """The head, tail or index of a container is damaged or cut."""


class UnknownVersionError(IndexDamageError):
    """A container of a version, or with a feature, that is not known here; it may well be intact."""


class TableError(InputError):
    """The index is intact, but its description of a tensor cannot be true."""


class ChecksumError(InputError):
    """A part's bytes differ from their checksum in the index."""


class NumericError(InputError):
    """NaN or infinity where the format, or the policy, does not allow them."""


class OutputError(FourccError):
    """The output could not be written."""

    exit_code = 4


class ClusterError(FourccError):
    """Work on other processes that could not be done: a worker is lost, or does not see or have what it needs."""

    exit_code = 4


class PluginError(FourccError):
    """A plugin, such as a format, that is installed but does not keep its contract."""

    exit_code = 5


class DuplicateTagError(PluginError):
    """Two distributions declare one tag."""


class MissingFormatError(PluginError, KeyError):
    """No installed distribution declares the tag; a KeyError, as the registry, a mapping, promises."""


class SlowProductsWarning(UserWarning):
    """Products with a format decode the whole matrix first, since its block decoder cannot be traced."""
