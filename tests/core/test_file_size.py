"""The length of a file that is not yet written, against the length of the file."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fourcc
from fourcc.container.reader import ModelFile
from fourcc.conversion.carrying_out import execute
from fourcc.conversion.plan import plan
from fourcc.execution import Execution
from fourcc.format import Aids
from fourcc.plugins.registry import registry
from fourcc.policy import Policy
from fourcc.sources import open_source
from fourcc.sources.source import Source
from tests.core.seam_formats import ENTROPY, OUTLIERS
from tests.core.test_conversion import normal, source
from tests.examples import examples

TAGS = (
    "F32",
    "F16",
    "BF16",
    "F64",
    "Q8_0",
    "Q4_0",
    "Q4_A",
    "Q8_A",
    "Q8_T",
    "Q8_M",
    "Q2_K",
    "Q6_K",
    "IQ4X",
    "MXF4",
    "NF4",
)
SHAPES = st.sampled_from([(3, 256), (64,), (2, 4, 256), (0, 256), (7, 33), (1, 512), (), (300, 1024), (40, 8192)])


def made(opened: Source, policy: Policy, aids: Mapping[str, Aids] | None = None) -> tuple[int, int, int]:
    """The length that a plan states, the file's, and the number of errors that are stored as nil."""
    planned = plan(opened, policy, aids=aids)
    stated = planned.file_bytes
    with TemporaryDirectory() as folder:
        output = execute(planned, Path(folder) / "model.bin", Execution(threads=1)).path
        with ModelFile(output) as model:
            errors = [tensor.error for tensor in model.index.tensors if tensor.error is not None]
            return stated, output.stat().st_size, sum((e.relative_rmse is None) + (e.sqnr_db is None) for e in errors)


@examples(120)
@given(
    st.dictionaries(st.text("ab.µ0", min_size=1, max_size=40), SHAPES, min_size=1, max_size=6),
    st.lists(st.sampled_from(TAGS), min_size=1, max_size=3, unique=True),
    st.text(max_size=300),
    st.booleans(),
)
def test_the_length_is_exact_but_for_errors_that_are_nil(
    shapes: Mapping[str, tuple[int, ...]], tags: list[str], comment: str, keeps: bool
) -> None:
    """Over names, shapes, formats and policies: a nil is 8 bytes shorter than a number, and nothing else is unknown."""
    tensors = {name: normal(*shape, seed=k) for k, (name, shape) in enumerate({**shapes, "w": (3, 256)}.items())}
    chain = Policy.shorthand(",".join([*tags, *(["F32"] if "F32" not in tags else [])]))
    policy = Policy.keep() if keeps else chain
    commented = Policy.parse(policy.text + "".join(f"\n# {line}" for line in repr(comment).splitlines()))
    stated, found, nils = made(source(tensors), commented)
    assert stated == found + 8 * nils


def test_calibration_data_are_counted_where_they_are_used() -> None:
    """The digest of what an encoder saw is 17 bytes longer than nil; a format that ignores it has none."""
    tensors = {"w": normal(40, 256), "v": normal(40, 100)}
    aids = {name: Aids(importance=np.ones(values.shape[1], np.float32)) for name, values in tensors.items()}
    policy = Policy.shorthand("Q4_K,Q8_A")
    stated, found, _ = made(source(tensors), policy, aids)
    assert stated == found
    assert stated == made(source(tensors), policy)[1] + 17


def test_a_model_bin_that_is_copied(tmp_path: Path, root: Path) -> None:
    """Its records go over with their errors, settings and providers, and with blobs; half of it is encoded anew."""
    tiny = root / "fourcc" / "example" / "tiny.bin"
    fourcc.convert(tiny, tmp_path / "a.bin", format="Q4_A,F16", tokenizer=tiny.with_name("tiny_tokenizer.bin"))
    text = (
        'version = 1\n[[rule]]\nrole = "ffn.*"\ntag = "Q8_0"\nfallback = ["F16"]\n[[rule]]\nmatch = "*"\nkeep = true\n'
    )
    for policy in (Policy.keep(), Policy.parse(text)):
        with open_source(tmp_path / "a.bin") as opened:
            stated, found, nils = made(opened, policy)
        assert stated == found + 8 * nils


def test_recipes_on_a_checkpoint(root: Path) -> None:
    """With fallbacks: rows of 176 weights fit no super-block."""
    with open_source(root / "fourcc" / "example" / "tiny.bin") as opened:
        for name in ("Q4_0", "Q8_0", "Q4_K_M", "IQ4_XS"):
            stated, found, nils = made(opened, Policy.recipe(name))
            assert stated == found + 8 * nils


@pytest.mark.parametrize("fmt", [ENTROPY, OUTLIERS], ids=["one", "two"])
def test_parts_of_variable_length_are_estimated(fmt: fourcc.Format) -> None:
    """The tensor takes what its format's nominal bits say; the rest of the file is counted as ever."""
    with registry.trying(fmt):
        opened = source({"w": normal(256, 512)})
        planned = plan(opened, Policy.shorthand(str(fmt.tag)))
        assert planned.nbytes < planned.file_bytes < planned.nbytes + 1500


def test_error_feedback_is_counted_where_it_is_used() -> None:
    """A record of its settings and the Hessian's digest; a format without codes has none."""
    tensors = {"w": normal(40, 256), "v": normal(40, 100)}
    aids = {name: Aids(hessian=np.eye(values.shape[1], dtype=np.float32)) for name, values in tensors.items()}
    planned = plan(source(tensors), Policy.shorthand("Q4_K,F16"), aids=aids, feedback="gptq")
    with TemporaryDirectory() as folder:
        result = execute(planned, Path(folder) / "model.bin", Execution(threads=1))
        assert result.path.stat().st_size == planned.file_bytes
    assert [tensor.feedback is not None for tensor in result.index.tensors] == [True, False]
    assert planned.file_bytes > plan(source(tensors), Policy.shorthand("Q4_K,F16"), aids=aids).file_bytes
