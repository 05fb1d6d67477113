"""Arrays of other packages: taken in, and given out, without a copy where the numbers are the same.

Numpy has neither bfloat16 nor 8-bit floats. Where a format stores numbers that torch has, its ``foreign`` says so:
``{"torch": "bfloat16"}``; the bits are then given to torch as they are.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from fourcc.arrays import Array
from fourcc.errors import UsageError
from fourcc.records import package

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

READ_ONLY_SINCE = (1, 0)  # the version of DLPack that can say that an array may not be written to
CPU, PINNED = 1, 3  # DLPack's numbers of this computer's memory


def as_array(values: ArrayLike, what: str = "weights") -> Array:
    """Numbers in one of numpy's own types, in the same memory where they already are.

    Args:
        values: an array, a tensor of torch, or anything that numpy takes. Numbers that numpy has no type for (bfloat16,
            8-bit floats, of torch or of ml_dtypes) become float32; gradients are left behind.
        what: names the values, for messages.

    Raises:
        UsageError: they are in the memory of another device, or are no plain array.
    """
    if isinstance(values, np.ndarray):
        array = values
    else:
        _refuse_elsewhere(values, what)
        array = _of_tensor(values, what) if hasattr(values, "detach") else np.asarray(values)
    named_elsewhere = array.dtype.type.__module__.partition(".")[0] == "ml_dtypes"
    return array.astype(np.float32) if named_elsewhere else array


def _refuse_elsewhere(values: Any, what: str) -> None:  # noqa: ANN401 - of any package
    if hasattr(values, "detach"):
        found, here = str(values.device), values.device.type == "cpu"
    else:
        device = getattr(values, "__dlpack_device__", lambda: (CPU, 0))()
        found, here = f"DLPack's {int(device[0])}", device[0] in {CPU, PINNED}
    if not here:
        hint = "Bring them here: `x.cpu()` in torch."
        raise UsageError(f"the {what} are in the memory of another device", found=found, hint=hint)


def _of_tensor(values: Any, what: str) -> Array:  # noqa: ANN401 - a torch.Tensor; torch is no dependency
    values = values.detach()
    try:
        found: Array = values.numpy()
    except TypeError:  # numbers that numpy does not have
        try:
            found = values.float().numpy()
        except TypeError as error:
            what = f"the {what} are no plain array"
            raise UsageError(what, found=f"{type(values).__name__}: {error}") from None
    return found


def as_torch(array: Array, name: str | None = None) -> Any:  # noqa: ANN401 - a torch.Tensor; torch is no dependency
    """A tensor of torch in the memory of an array, which must be writable; torch knows no other.

    Args:
        array: C-contiguous.
        name: of the type in torch that the bits are of; None: the array's own.

    Raises:
        UsageError: torch is not installed.
    """
    torch = package("torch", "to_torch")
    if name is None:
        return torch.from_numpy(array)
    return torch.from_numpy(array.view(f"i{array.itemsize}")).view(getattr(torch, name))


class ArrayExchange:
    """A tensor that other packages take: numpy by its own protocol, those that know DLPack, torch."""

    __slots__ = ()

    @abstractmethod
    def decode(self) -> Array:
        """The weights, an array of the tensor's shape."""

    @abstractmethod
    def _stored(self) -> Array | None:
        """The numbers as they are stored, a view of the tensor's shape, where each is stored by itself."""

    @property
    @abstractmethod
    def _named_in_torch(self) -> str | None:
        """The type that torch has, and numpy has not, for the stored numbers."""

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:  # noqa: FBT001 - numpy's signature
        stored = self._stored()
        if stored is None or self._named_in_torch:
            if copy is False:
                raise ValueError("a QMatrix is decoded into a new array; copy=False cannot be kept")
            decoded = self.decode()
            return decoded if dtype is None else decoded.astype(dtype)
        return np.array(stored, dtype, copy=copy)

    def __dlpack__(
        self,
        *,
        stream: object = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:  # noqa: ANN401 - a capsule of Python's
        """The weights by DLPack: plain numbers as they are stored, without a copy; else decoded.

        Raises:
            BufferError: no copy is allowed, and one is needed.
            PluginError, TableError: as `decode` raises them.
        """
        try:
            array = self.__array__(copy=copy)
        except ValueError as error:
            raise BufferError(str(error)) from None
        if not array.flags.writeable and (max_version is None or max_version < READ_ONLY_SINCE):
            if copy is False:
                raise BufferError(
                    "the weights are read-only, and the reader does not know it: copy=False cannot be kept"
                )
            array = array.copy()
        return array.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device)

    def __dlpack_device__(self) -> tuple[int, int]:
        return CPU, 0

    def to_torch(self) -> Any:  # noqa: ANN401 - a torch.Tensor; torch is no dependency
        """A tensor of torch: plain numbers in their own type, bfloat16 and 8-bit floats too; else decoded, float32.

        It shares the memory of numbers that are stored so, if they may be written to; views of a mapped file may not,
        and are copied. `Model.to_torch` gives all tensors without a copy.

        Raises:
            UsageError: torch is not installed.
            PluginError, TableError: as `decode` raises them.
        """
        stored = self._stored()
        if stored is None:
            return as_torch(self.decode())
        return as_torch(stored if stored.flags.writeable else stored.copy(), self._named_in_torch)
