"""The weights of a network that is run stage by stage, of which one stage's are in memory at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fourcc.models.architecture import known_sizes
from fourcc.models.copied_weights import let_go_of_copied
from fourcc.models.weights import EMBEDDING, OUTPUT, LayerWeights, WeightsLoader
from fourcc.threads import thread_count

if TYPE_CHECKING:
    from fourcc.arrays import Floats
    from fourcc.compute.packed import Packed
    from fourcc.container.reader import ModelFile
    from fourcc.models.weights import Inputs
    from fourcc.qmatrix import QMatrix


class WeightsInTurn:
    """Weights like `fourcc.models.weights.Weights`, loaded when they are asked for, and let go with `let_go`.

    Args:
        model: the opened file.

    Raises:
        InputError: a tensor is missing, or has another shape than the sizes say.
    """

    def __init__(self, model: ModelFile) -> None:
        self._model = model
        self._asked: set[str] = set()  # tensors whose bytes may be resident
        self._held: dict[str, Any] = {}
        self._loader = WeightsLoader(known_sizes(model.index, model.path), self._find, self._packed, model.__contains__)
        self._loader.check({record.name: record.shape for record in model.index.tensors})
        self.layers = _Layers(self._hold, self._loader, known_sizes(model.index, model.path).n_layers)
        self.vectors: dict[str, Floats] = self._loader.vectors()

    @property
    def embedding(self) -> Packed:
        """The embedding."""
        found: Packed = self._hold(EMBEDDING, self._loader.embedding)
        return found

    @property
    def output(self) -> Packed:
        """The classifier; where it is tied the embedding."""
        found: Packed = self.embedding if self._loader.tied else self._hold(OUTPUT, self._loader.output)
        return found

    @property
    def positions(self) -> Packed | None:
        """The embeddings of positions; None: the network has none."""
        found: Packed | None = self._hold("positions", self._loader.positions)
        return found

    @property
    def output_name(self) -> str:
        """The name of the classifier's matrix."""
        return EMBEDDING if self._loader.tied else OUTPUT

    def inputs_of(self, number: int) -> list[Inputs]:
        """The inputs of a layer's matrices; nothing is loaded for it."""
        return self._loader.inputs_of(number)

    def let_go(self) -> None:
        """Lets go of all matrices that were loaded; the next to be asked for come from the file again."""
        self._held.clear()
        for name in self._asked:
            self._model.let_go(name)
        self._asked.clear()

    def _hold(self, key: str, load: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever is held under the key
        if key not in self._held:
            self._held[key] = load()
        return self._held[key]

    def _packed(self, name: str) -> None:
        let_go_of_copied(self._model, name)

    def _find(self, name: str) -> QMatrix | None:
        self._asked.add(name)
        return self._model.get(name)


class NetworkInTurn:
    """The part of a network that stages need, with weights that are in memory in turn.

    Args:
        model: the opened file.
        context: positions to have room for.
        threads: None: ``FOURCC_THREADS``, or the cores that this process may use.

    Attributes:
        architecture: its sizes.
        context: number of positions that it has room for.
        threads: number of threads.
        weights: loaded in turn.
    """

    def __init__(self, model: ModelFile, context: int, threads: int | None = None) -> None:
        self.architecture, self.threads = known_sizes(model.index, model.path), thread_count(threads)
        self.context = min(context, self.architecture.longest)
        self.weights = WeightsInTurn(model)


class _Layers:
    """The layers, each loaded when it is asked for."""

    def __init__(self, hold: Callable[[str, Callable[[], Any]], Any], loader: WeightsLoader, count: int) -> None:
        self._hold, self._loader, self._count = hold, loader, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> LayerWeights:
        found: LayerWeights = self._hold(f"layer {number}", lambda: self._loader.layer(number))
        return found
