"""Results as records, data frames and Arrow tables, and as HTML in notebooks."""

import html.parser
import json
import re
import sys
from collections.abc import Iterator
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import fourcc
from fourcc.bench.shootout.results import ShootoutResult
from fourcc.calibration.budget import Budget
from fourcc.calibration.fitting import fit
from fourcc.calibration.to_budget import MeasuredConversion, ToBudget
from fourcc.container.tensor_mapping import TensorMapping
from fourcc.conversion.plan import plan
from fourcc.conversion.result import Result
from fourcc.drawing import notebook
from fourcc.errors import UsageError
from fourcc.models.intervals import Interval
from fourcc.records import Records
from fourcc.sources import open_source
from fourcc.sources.source import Source, SourceTensor
from tests.calibration.made_up_costs import made_up, small_model

PLAIN = (str, int, float, bool, type(None))


@pytest.fixture(scope="module")
def tables(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[type, Records]]:
    """A value of every class that has records."""
    tiny, out = root / "fourcc" / "example" / "tiny.bin", tmp_path_factory.mktemp("records") / "q.bin"
    tokenizer = root / "fourcc" / "example" / "tiny_tokenizer.bin"
    result = fourcc.convert(tiny, out, format="Q4_0,F16", tokenizer=tokenizer)
    costs = made_up(small_model(), ("Q4_0", "Q8_0"))
    mix = fit(small_model(), costs, Budget.of("6bpw"))
    measured = MeasuredConversion("mix", "mix", 0.1, Interval(0.2), 1000, 6.0)
    with open_source(tiny) as source, fourcc.open(out) as model:
        values: list[Records] = [
            source,
            model,
            fourcc.ModelFile(out),
            result,
            plan(source, fourcc.Policy.shorthand("Q8_0,F16")),
            fourcc.forecast(tiny, out, format="Q8_0,F16"),
            fourcc.stats(out, against=tiny, layers="0"),
            fourcc.diff(tiny, out),
            fourcc.evaluate(model, "Once upon a time, there was a little girl.", reference=model),
            fourcc.shootout(tiny, layers="0", options=["Q4_0", "Q4_K", "F16"], speed=False),
            fourcc.registry,
            costs,
            mix,
            ToBudget(result, mix, (measured,), costs),
        ]
        yield {type(value): value for value in values}


def classes(base: type) -> set[type]:
    """All classes below a class; not those that attrs put another in the place of, which are garbage."""
    below = (each for each in base.__subclasses__() if getattr(sys.modules[each.__module__], each.__name__) is each)
    return set(chain.from_iterable(({each} | classes(each)) for each in below))


def test_every_table_is_here(tables: dict[type, Records]) -> None:
    """A new class with records is added to the fixture above."""
    assert classes(Records) - {TensorMapping} == set(tables)


def test_records_are_plain_and_alike(tables: dict[type, Records]) -> None:
    """Texts, numbers, truth values, lists of these and None; the same keys in each record; JSON holds them."""
    for value in tables.values():
        records = value.records()
        assert records
        assert len({tuple(record) for record in records}) == 1
        for each in chain.from_iterable(record.values() for record in records):
            assert isinstance(each, PLAIN) or all(isinstance(one, PLAIN) for one in each)
        assert json.loads(json.dumps(records)) == records


def test_fields_are_documented(tables: dict[type, Records]) -> None:
    """Each key stands in the docstring of `records`, in code's letters; the ends of intervals without their ending."""
    for kind, value in tables.items():
        documented = TensorMapping if kind is Result else kind
        words = set(re.findall(r"``(\w+)``", documented.records.__doc__ or ""))
        assert {key for key in value.records()[0] if not {key, re.sub("_(low|high)$", "", key)} & words} == set(), kind


def test_records_say_what_the_value_says(tables: dict[type, Records]) -> None:
    """A few numbers of each, found elsewhere."""
    named = {kind.__name__: value for kind, value in tables.items()}
    model = named["Model"]
    assert isinstance(model, fourcc.Model)
    by_name = {record["name"]: record for record in model.records()}
    assert list(by_name) == list(model)
    query = by_name["layers.1.attention.wq"]
    assert (query["tag"], query["shape"], query["bits_per_weight"], query["layer"]) == ("Q4_0", [96, 96], 4.5, 1)
    assert query["sqnr_db"] == model.record("layers.1.attention.wq").error.sqnr_db  # type: ignore[union-attr]
    assert by_name["tok_embeddings"]["roles"] == ["embedding", "output"]
    source = named["Source"].records()
    assert {record["tag"] for record in source} == {"F32"}
    assert [record["sqnr_db"] for record in source] == [None] * 38
    difference = {record["name"]: record for record in named["Difference"].records()}
    assert (difference["norm"]["identical"], difference["norm"]["sqnr_db"]) == (True, None)
    assert difference["layers.1.attention.wq"]["differing"] > 9000
    evaluation = named["Evaluation"]
    (measures,) = evaluation.records()
    assert measures["perplexity"] == pytest.approx(np.exp(measures["loss"]))
    assert (measures["ratio"], measures["loss_low"]) == (pytest.approx(1, abs=0.1), None)
    mix = named["FittedMix"].records()
    assert {record["tag"] for record in mix} == {"Q4_0", "Q8_0"}
    planned = {record["name"]: record for record in named["Plan"].records()}
    down = planned["layers.0.feed_forward.w2"]
    assert (down["stored_tag"], down["tag"], down["fallback_from"], down["kept"]) == ("F32", "F16", "Q8_0", False)


def test_formats_that_fit_nothing_have_no_figures(tables: dict[type, Records]) -> None:
    """Not a zero, which would be drawn."""
    shootout = {record["tag"]: record for record in tables[ShootoutResult].records()}
    assert shootout["Q4_K"]["bits_per_weight"] is None
    assert shootout["Q4_K"]["sqnr_db"] is None
    assert "multiple" in shootout["Q4_K"]["reason"]
    assert isfinite(shootout["Q4_0"]["sqnr_db"])


def test_pandas(tables: dict[type, Records]) -> None:
    """A row for each record, a column for each key; it can be computed with."""
    pandas = pytest.importorskip("pandas", reason="pandas is no dependency")
    for value in tables.values():
        frame = value.to_pandas()
        assert list(frame.columns) == list(value.records()[0])
        assert len(frame) == len(value.records())
    frame = next(value for value in tables.values() if isinstance(value, fourcc.Model)).to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    by_tag = frame.groupby("tag")["bytes"].sum()
    assert by_tag["Q4_0"] > by_tag["F32"]


def test_arrow(tables: dict[type, Records]) -> None:
    """By its protocol, so that pyarrow, polars and DuckDB take the values themselves."""
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is no dependency")
    for value in tables.values():
        assert pyarrow.table(value).to_pylist() == value.records()


def test_missing_packages_are_named(tables: dict[type, Records], monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do, and what works without them."""
    value = next(iter(tables.values()))
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"to_pandas needs the package pandas, .* pip install pandas$"):
        value.to_pandas()
    with pytest.raises(UsageError, match=r"Arrow's protocol needs the package pyarrow, .* pip install pyarrow"):
        value.__arrow_c_stream__()


class Reader(html.parser.HTMLParser):
    """Reads HTML and finds what is not closed, scripts, and links that lead out."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Remembers it, unless nothing can be in it."""
        assert not [name for name, value in attributes if name.startswith("on") or "http" in (value or "")]
        self.tags.append(tag)
        if tag not in {"input", "wbr", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Closes itself."""
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """It must be the last one."""
        if tag not in {"input", "wbr", "br"}:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collects it."""
        self.text += data


def read(value: Any) -> Reader:
    """The value's HTML, which must be whole, without scripts and small."""
    text = value._repr_html_()
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert "script" not in reader.tags
    assert len(text) < 150_000
    return reader


def test_every_value_has_html(tables: dict[type, Records], root: Path) -> None:
    """Whole, bounded, and with the names of what it shows; the plain form stays as it is."""
    policy = fourcc.Policy.read(root / "fourcc" / "example" / "mixed.toml")
    for value in (*tables.values(), policy, fourcc.registry["Q4_Z"]):
        assert read(value).text
        assert not repr(value).startswith("<div")
    named = {kind.__name__: read(value).text for kind, value in tables.items()}
    assert "Layers and kinds of tensors" in named["Model"]
    assert "perplexity" in named["Evaluation"]
    assert "Q4_K" in named["Registry"]
    assert 'role = "embedding"' in read(policy).text


def test_a_matrix_in_a_notebook(tables: dict[type, Records]) -> None:
    """Its parts and a histogram of some weights; a stack and a vector, too; nothing where all are equal."""
    model = next(value for value in tables.values() if isinstance(value, fourcc.Model))
    shown = read(model["layers.0.attention.wq"])
    assert "svg" in shown.tags
    assert "Histogram of 9216 of the 9216 weights" in shown.text
    assert "blocks" in shown.text
    stack = fourcc.encode(np.random.default_rng(1).normal(size=(3, 64, 256)).astype(np.float32), "Q8_0")
    assert "Histogram of 16384 of the 49152 weights" in read(stack).text
    assert "svg" in read(model["norm"]).tags
    assert "svg" not in read(fourcc.encode(np.ones((4, 32), np.float32), "F32")).tags


def test_little_of_a_large_matrix_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook shows it at once: whole rows, spread over it."""
    large = fourcc.encode(np.arange(4096 * 512, dtype=np.float32).reshape(4096, 512), "F32")
    sample = large.sample()
    assert sample.shape == (32, 512)
    assert (sample[0, 0], sample[-1, -1]) == (0, 4096 * 512 - 1)
    monkeypatch.setattr(type(large), "decode", lambda _: pytest.fail("the whole matrix is decoded"))
    assert "svg" in read(large).tags


def test_a_missing_format_is_said(tables: dict[type, Records]) -> None:
    """Its tensors are listed all the same."""
    unknown = attrs.evolve(fourcc.encode(np.ones((2, 32), np.float32), "F32"), tag="none", made_by="there 1.0")
    assert "no installed package provides the format none" in read(unknown).text


def thousand(name: str, layers: int | None) -> Source:
    """A source of a thousand tensors."""
    array = np.zeros((4, 4), np.float32)
    names = [name.format(number % (layers or 1), number // (layers or 1)) for number in range(1000)]
    tensors = [SourceTensor.of_array(each, array) for each in names]
    return Source(Path("many.bin"), "safetensors", tuple(tensors), ())


@pytest.mark.parametrize(
    ("name", "layers", "words"),
    [("layers.{}.kind_{}", 20, "Kinds of the 1,000 tensors"), ("tensor_{1}", None, "1,000 rows; the first 95")],
)
def test_a_thousand_tensors(name: str, layers: int | None, words: str) -> None:
    """The page stays small: a row for each kind, or the first and the last ones."""
    assert words in read(thousand(name, layers)).text


def test_names_are_escaped() -> None:
    """Names and texts that come from a file are never markup."""
    evil = "<img src=x onerror=alert(1)>"
    source = Source(
        Path(evil), evil, (SourceTensor.of_array(evil, np.zeros((2, 2), np.float32)),), (), architecture=evil
    )
    matrix = attrs.evolve(fourcc.encode(np.arange(64, dtype=np.float32).reshape(2, 32), "F32"), name=evil)
    in_layer = attrs.evolve(source, tensors=(SourceTensor.of_array(f"layers.0.{evil}", np.zeros(2, np.float32)),))
    for value in (source, matrix, in_layer):
        shown = read(value)
        assert "img" not in shown.tags
        assert evil in shown.text
    assert "script" not in notebook.short_text("<script>", "x").replace("&lt;script", "")


def test_two_maps_of_one_model_are_apart(tables: dict[type, Records]) -> None:
    """The switches of one do not act on the other."""
    model = next(value for value in tables.values() if isinstance(value, fourcc.Model))
    names = [set(re.findall(r'name="(n\w+-by)"', model._repr_html_())) for _ in range(2)]
    assert len(names[0]) == len(names[1]) == 1
    assert names[0] != names[1]
