"""The page: whole, alone, the same each time, and unmoved by names."""

import base64
import hashlib
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import attrs
import pytest

import fourcc
from fourcc.errors import UsageError
from fourcc.reporting import page as pages
from fourcc.reporting.document import ModelReport, RuleReport, TensorReport
from fourcc.reporting.gather import ReportRequest, gather
from fourcc.reporting.map_cells import cells_of, column_key, model_map
from fourcc.reporting.page import page
from tests.reporting.made_models import HOSTILE, hostile_model, many_tensors

VOID = {"meta", "link", "input", "wbr", "br"}
EVENTS = re.compile(r"on\w+", re.IGNORECASE)


class Page(HTMLParser):
    """The page's elements and texts, as a browser without scripts reads them; refuses what is not closed."""

    # ruff: noqa: D102 - the names that html.parser calls

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]


@pytest.fixture(scope="module")
def whole(mixed: Path, example: Path) -> str:
    """The page of the shipped model beside its original."""
    return page(gather(ReportRequest(mixed, against=example / "tiny.bin")))


def test_it_loads_nothing_and_allows_nothing(whole: str) -> None:
    found = Page(whole)
    assert not re.search(r"https?:|//\w|@import|url\(", re.sub(r"sha256-[\w+/=]+", "", whole))
    assert [value for value in found.values("href") if not value.startswith("#")] == ["data:,"]
    assert found.values("src") == []
    assert not [name for _, attributes in found.elements for name in attributes if EVENTS.fullmatch(name)]
    assert not [tag for tag, attributes in found.elements if "style" in attributes]


def test_only_its_own_style_and_script_run(whole: str) -> None:
    """Their hashes are in the policy that the browser keeps to."""
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', whole)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for name in ("style", "script"):
        (text,) = re.findall(rf"<{name}>(.*?)</{name}>", whole, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy


def test_every_link_leads_somewhere_and_no_id_is_there_twice(whole: str) -> None:
    found = Page(whole)
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    targets = {value.removeprefix("#") for value in found.values("href") if value.startswith("#")}
    assert targets - set(ids) == {"closed"}
    assert {f"t{number}" for number in range(38)} <= targets
    assert set(found.values("aria-labelledby")) <= set(ids)


def test_it_says_all_that_is_known(whole: str) -> None:
    text = " ".join(" ".join(Page(whole).words).split())
    for words in (
        "Every byte is as it was written", "compared with tiny.bin", "rule[5] took 8 tensors, 135,168 weights",
        'encoder = { method = "kmeans" }', "formats by", "XXH3-64",
        "Tensors that differ", "while encoding", "against tiny.bin", "Histogram of the stored codes of",
    ):  # fmt: skip
        assert words in text


def test_equal_input_gives_an_equal_page(mixed: Path, example: Path, whole: str) -> None:
    assert page(gather(ReportRequest(mixed, against=example / "tiny.bin"))) == whole


def test_names_from_files_stay_text(tmp_path: Path) -> None:
    """No element, attribute or script comes of them, and the panels stay in their places."""
    plain = ModelReport("n", "k", {}, {}, tuple(_tensor(f"layers.0.a{place}.w") for place in range(len(HOSTILE))))
    text = page(gather(ReportRequest(hostile_model(tmp_path / "h.safetensors"))))
    found = Page(text)
    kinds = {tag for tag, _ in found.elements}
    assert kinds <= {tag for tag, _ in Page(page(plain)).elements} | {
        "ul",
        "li",
        "em",
        "h4",
        "path",
        "svg",
        "title",
        "wbr",
    }
    assert [tag for tag, _ in found.elements].count("script") == 1
    assert text.count(pages.PARTING) == len(HOSTILE)  # one fewer between the panels, and one in the script
    assert "49" not in [word.strip() for word in found.words]
    for character in "\x1b\x07\u202e\u2066\u2028\u2029\ufeff\u200b":
        assert character not in text


def _tensor(name: str, **more: object) -> TensorReport:
    return attrs.evolve(TensorReport(name, name, (2, 2), ("other",), 0, "F32", 16), **more)


def test_everything_else_from_files_stays_text() -> None:
    bad = "</script><b>\u202e"
    tensor = _tensor(bad, tag=bad, source_name=bad + "x", roles=(bad,), trouble=bad, facts={bad: bad}, rule=0)
    report = ModelReport(
        bad, bad, {bad: bad}, {bad: [bad]}, (tensor,), (RuleReport(0, f"{bad}\n{bad}", (tensor,)),), (bad,), (bad,), bad
    )
    text = page(report)
    assert "<b>\\u202e" not in text
    assert "\u202e" not in text
    assert text.count("</script>") == 1


def test_the_page_of_a_thousand_tensors_is_small(tmp_path: Path) -> None:
    made = gather(
        ReportRequest(many_tensors(tmp_path / "m.bin", 200), against=many_tensors(tmp_path / "n.bin", 200, "Q4_0"))
    )
    assert 5 * len(page(made).encode()) < 5e6


def test_experts_that_have_a_tensor_each_share_a_cell() -> None:
    assert column_key("model.layers.3.mlp.experts.17.w1.weight") == "mlp.experts.*.w1"
    tensors = tuple(_tensor(f"layers.0.experts.{number}.w1") for number in range(8))
    assert [len(cell) for cell in cells_of(tensors)] == [8]
    text = page(ModelReport("n", "k", {}, {}, tensors))
    assert "8 tensors share this cell" in text
    assert "F32 &times;8" in text


def test_columns_are_in_the_order_of_the_network() -> None:
    names = ("layers.0.strange", "layers.0.feed_forward.w2", "layers.0.attention.wq", "layers.0.attention_norm")
    drawn = model_map(ModelReport("n", "k", {}, {}, tuple(map(_tensor, names))))
    places = [drawn.index(f">{title}<") for title in ("attention_<wbr>norm", "wq", "w2", "strange")]
    assert places == sorted(places)


def test_without_jinja_it_says_so(monkeypatch: pytest.MonkeyPatch, mixed: Path, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(UsageError, match=r"a report needs the package jinja2.*pip install .*jinja2"):
        fourcc.report(mixed, tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()
