"""Models without weights, and a registry with formats that have settings, blocks and faults to test policies with."""

from collections.abc import Callable

import pytest

from fourcc.errors import PolicyError
from fourcc.format import Format
from fourcc.part import Part
from fourcc.plugins.registry import Entry, Registry, installed_entries
from fourcc.policy import Policy, TensorInfo
from fourcc.settings import Setting
from fourcc.tags import as_tag


def _format(tag: str, width: int, *, encoder: bool = True, **more: object) -> Format:
    """Bytes in blocks of `width` columns; its functions are never called."""
    return Format(
        tag=tag,
        name=tag,
        summary="for tests",
        block=(1, width),
        parts=(Part("codes", "|u1", tail=lambda geom: (geom.cols,)),),
        **more,
        decode=lambda *_: None,
        encode=(lambda *_: None) if encoder else None,
    )


WIDE = _format(
    "Wide",
    256,
    params=(Setting("group", 64, "columns that share a scale", choices=(64, 128)),),
    options=(
        Setting("method", "round", "how codes are found", choices=("round", "kmeans")),
        Setting("steps", 10, "iterations", low=1, high=100),
        Setting("damping", 0.5, "of the step"),
    ),
)
MUTE = _format("Mute", 1, encoder=False)


def _broken() -> Format:
    raise ImportError("no module named 'quux'")


def _entry(tag: str, load: Callable[[], object], distribution: str = "others") -> Entry:
    return Entry(tag, f"others:{tag}", distribution, "1.0", load)


@pytest.fixture(scope="session")
def formats() -> Registry:
    """The built-in formats; `Wide` (blocks of 256, settings), `Mute` (no encoder), `Bad` (broken), `Twin` (twice)."""
    added = [
        _entry("Wide", lambda: WIDE),
        _entry("Mute", lambda: MUTE),
        _entry("Bad", _broken),
        _entry("Twin", lambda: MUTE, "one"),
        _entry("Twin", lambda: MUTE, "two"),
    ]
    own = [entry for entry in installed_entries() if entry.distribution == "fourcc"]
    return Registry(scan=lambda: [*own, *added])


@pytest.fixture(scope="session")
def tensor() -> Callable[..., TensorInfo]:
    """Makes a TensorInfo; a matrix of 64 x 256 stored as F32 unless told."""

    def make(
        name: str,
        shape: tuple[int, ...] = (64, 256),
        *roles: str,
        layer: int | None = None,
        tag: str = "F32",
        real: bool = True,
        params: dict[str, object] | None = None,
    ) -> TensorInfo:
        return TensorInfo(name, shape, roles or ("other",), layer, as_tag(tag), params or {}, real)

    return make


@pytest.fixture(scope="session")
def llama(tensor: Callable[..., TensorInfo]) -> Callable[[int], list[TensorInfo]]:
    """Makes the tensors of a llama of so many layers, with a tied embedding."""

    def make(layers: int) -> list[TensorInfo]:
        made = [tensor("tok_embeddings", (512, 256), "embedding", "output"), tensor("norm", (256,), "norm")]
        for i in range(layers):
            made += [
                tensor(f"layers.{i}.attention_norm", (256,), "norm", layer=i),
                tensor(f"layers.{i}.attention.wq", (256, 256), "attention.q", layer=i),
                tensor(f"layers.{i}.attention.wv", (64, 256), "attention.v", layer=i),
                tensor(f"layers.{i}.feed_forward.w2", (256, 704), "ffn.down", layer=i),
            ]
        return made

    return make


@pytest.fixture(scope="session")
def parse_problems() -> Callable[[str], list[str]]:
    """The problems of a text that is no policy, each as it is printed."""

    def find(text: str) -> list[str]:
        with pytest.raises(PolicyError) as caught:
            Policy.parse(text)
        return [str(problem) for problem in caught.value.problems]

    return find


@pytest.fixture(scope="session")
def resolve_problems(formats: Registry) -> Callable[..., list[str]]:
    """The problems of rules (without the version line, which is line 1) with tensors, each as it is printed."""

    def find(rules: str, *tensors: TensorInfo) -> list[str]:
        policy = Policy.parse(f"version = 1\n{rules}")
        with pytest.raises(PolicyError) as caught:
            policy.resolve(tensors, formats)
        return [str(problem) for problem in caught.value.problems]

    return find
