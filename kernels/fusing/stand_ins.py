"""Copies of a block decoder in which other things stand for the arrays and functions that it names.

The same function is run for a trace, and on arrays of many blocks. Python's ``min`` and ``max``, numpy's types such as
``np.float32``, and arrays of the module would not do with a value that is neither a number nor an array.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from inspect import signature
from pathlib import PurePath
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from fourcc.kernels.compiler.object_cache import names_of

NUMBER_TYPES = {kind for kind in np.sctypeDict.values() if np.dtype(kind).kind in "biuf"}
MAKERS = (np.array, np.asarray, np.stack, np.arange, np.linspace, np.zeros, np.ones, np.full)  # of arrays
MIN_MAX: dict[Any, Any] = {builtins.min: np.minimum, builtins.max: np.maximum}


class StandIn:
    """A copy of a plain function, and of the functions that it calls.

    Args:
        function: the block decoder, or what numba made of it.
        kinds: classes of what stands for values.
        array: gives what stands for an array that a function names.
        vector: gives what stands for a list of values, as an array.

    Attributes:
        function: the copy.

    Raises:
        TypeError: it is no Python function.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        kinds: tuple[type[Any], ...],
        array: Callable[[Any], object],
        vector: Callable[[list[Any]], object],
    ) -> None:
        self._kinds, self._array, self._vector = kinds, array, vector
        self._copies: dict[int, FunctionType] = {}
        self._codes: set[CodeType] = set()
        self.function = self._copy(function)
        self._bound: set[tuple[int, tuple[str, ...]]] = set()  # numbers and names of arguments that are right

    def bind(self, arguments: Sequence[object], params: Mapping[str, object]) -> None:
        """Checks the arguments.

        Raises:
            TypeError: it does not take them.
        """
        given = len(arguments), tuple(params)
        if given in self._bound:
            return
        try:
            signature(self.function).bind(*arguments, **params)
            self._bound.add(given)
        except TypeError as error:
            raise TypeError(f"{self.function.__name__}() {error}") from None

    def place(self, error: BaseException | None = None) -> str:
        """File and line of the author's function in which an exception was raised; without one, its first line."""
        code, line = self.function.__code__, self.function.__code__.co_firstlineno
        step = error.__traceback__ if error is not None else None
        while step is not None:
            if step.tb_frame.f_code in self._codes:
                code, line = step.tb_frame.f_code, step.tb_lineno
            step = step.tb_next
        return f"{PurePath(code.co_filename).name}:{line}"

    def told(self, error: BaseException) -> str:
        """An exception with its place, as messages have it; a ValueError of ours speaks for itself."""
        ours = type(error).__module__.startswith("fourcc.kernels.fusing")
        return f"{self.place(error)}: {error}" if ours else f"{self.place(error)}: {type(error).__name__}: {error}"

    def _copy(self, function: Callable[..., Any]) -> FunctionType:
        plain = getattr(function, "py_func", function)
        if not isinstance(plain, FunctionType):
            raise TypeError(f"a {type(plain).__name__} is no Python function")
        if id(plain) in self._copies:
            return self._copies[id(plain)]
        scope: dict[str, Any] = {}
        cells = tuple(CellType() for _ in plain.__closure__ or ())
        copy = FunctionType(plain.__code__, scope, plain.__name__, closure=cells or None)
        self._copies[id(plain)] = copy
        self._codes |= _codes_in(plain.__code__)
        scope.update(self._scope(plain))
        copy.__defaults__ = plain.__defaults__ and tuple(map(self._seen, plain.__defaults__))
        copy.__kwdefaults__ = plain.__kwdefaults__ and {k: self._seen(each) for k, each in plain.__kwdefaults__.items()}
        for cell, given in zip(cells, plain.__closure__ or (), strict=True):
            cell.cell_contents = self._seen(given.cell_contents)
        return copy

    def _scope(self, plain: FunctionType) -> dict[str, Any]:
        """The globals that a function may name, as its copy sees them."""
        names, known = names_of(plain.__code__), plain.__globals__
        built_in = {name: getattr(builtins, name) for name in names & vars(builtins).keys() - known.keys()}
        dunder = {name: value for name, value in known.items() if name.startswith("__")}
        return dunder | {name: self._seen(value) for name, value in (built_in | known).items() if name in names}

    def _seen(self, value: Any) -> Any:
        """The stand-in for a value that a function names."""
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, ModuleType):
            return ModuleStandIn(value, self._of_numpy if value.__name__.startswith("numpy") else self._seen)
        if isinstance(value, FunctionType) or hasattr(value, "py_func"):
            return value if (value.__module__ or "").startswith("numpy") else self._copy(value)
        return (
            self._holder(value) if any(isinstance(each, np.ndarray) for each in _held(value)) else self._of_numpy(value)
        )

    def _holder(self, value: Any) -> Any:
        """The stand-in for a list, a dict, a class or an object that holds arrays."""
        if type(value) in {list, tuple}:
            return type(value)(map(self._seen, value))
        if type(value) is dict:
            return {key: self._seen(each) for key, each in value.items()}
        return ModuleStandIn(value, self._seen)

    def _of_numpy(self, value: Any) -> Any:
        """The stand-in for what is Python's or numpy's own."""
        if isinstance(value, type) and value in NUMBER_TYPES:
            return NumberType(value, self._kinds)
        if isinstance(value, ModuleType):
            return ModuleStandIn(value, self._of_numpy)
        if any(value is each for each in MAKERS):
            return self._array_maker(value)
        try:
            ufunc = MIN_MAX.get(value)
        except TypeError:  # it cannot be hashed
            return value
        return value if ufunc is None else _extreme(value, ufunc, self._kinds)

    def _array_maker(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        """A function of numpy that makes arrays, from which values choose, but vectors of lists of values."""

        def made(*given: Any, **options: Any) -> Any:
            first = given[0] if given else None
            if isinstance(first, (list, tuple)) and any(isinstance(each, self._kinds) for each in first):
                return self._vector(list(first))
            found = plain(*given, **options)
            return self._array(found) if type(found) is np.ndarray else found

        return made


def _held(value: Any) -> Iterable[Any]:
    """The entries of a list or a dict, the attributes of a class or an object."""
    if type(value) in {list, tuple}:
        return value  # type: ignore[no-any-return]  # one of these
    held: dict[Any, Any] = value if type(value) is dict else getattr(value, "__dict__", {})
    return held.values()


def _codes_in(code: CodeType) -> set[CodeType]:
    """Code, and the code of the functions in it."""
    return {code}.union(*(_codes_in(each) for each in code.co_consts if isinstance(each, CodeType)))


def _extreme(plain: Callable[..., Any], ufunc: Callable[..., Any], kinds: tuple[type[Any], ...]) -> Callable[..., Any]:
    """Python's ``min`` or ``max``, but numpy's ``minimum`` or ``maximum`` where a value is among the numbers."""

    def chosen(*given: Any, **options: Any) -> Any:
        first: Any = given[0] if len(given) == 1 else given
        is_listed = isinstance(first, (list, tuple, *kinds))
        listed: list[Any] = list(first) if is_listed else []
        if options or not any(isinstance(each, kinds) for each in listed):
            return plain(*given, **options)
        return reduce(ufunc, listed)

    return chosen


class ModuleStandIn:
    """Stands for a module that a function names, or for another owner of arrays."""

    def __init__(self, module: Any, seen: Callable[[Any], Any]) -> None:
        self._module, self._seen = module, seen

    def __getattr__(self, name: str) -> Any:
        return self._seen(getattr(self._module, name))


class NumberType:
    """Stands for a type of numpy's numbers, such as ``np.float32``: called with a value, it converts the value."""

    def __init__(self, kind: type[np.generic], kinds: tuple[type[Any], ...]) -> None:
        self._kind, self._kinds, self.dtype = kind, kinds, np.dtype(kind)

    def __call__(self, given: Any = 0, *more: Any) -> Any:
        """Converts a value, or a number."""
        return given.astype(self.dtype) if isinstance(given, self._kinds) else self._kind(given, *more)

    def __instancecheck__(self, given: object) -> bool:
        """Whether a number is of the type."""
        return isinstance(given, self._kind)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kind, name)
