"""A report knows a model from every kind of file, and says what it cannot know."""

from math import inf
from pathlib import Path

import attrs
import numpy as np
import pytest

from fourcc.calibration.calibration import Calibration
from fourcc.calibration.statistics import InputStatistics
from fourcc.container.index import Index, Provider
from fourcc.container.reader import ModelFile
from fourcc.errors import InputError, UsageError
from fourcc.reporting.calibration_facts import calibration_facts, inputs
from fourcc.reporting.document import ModelReport, TensorReport
from fourcc.reporting.gather import ReportRequest, gather
from fourcc.reporting.sections import differences
from fourcc.sources import open_source
from fourcc.tags import as_tag
from tests.calibration.made_up_costs import made_up
from tests.cli.making import rewrite_index, write_safetensors
from tests.container.build import normal

WQ, W1 = "layers.0.attention.wq", "layers.1.feed_forward.w1"


def named(report: ModelReport, name: str) -> TensorReport:
    return next(tensor for tensor in report.tensors if tensor.name == name)


def test_a_model_bin_says_everything(mixed: Path) -> None:
    report = gather(ReportRequest(mixed))
    assert (report.name, report.kind, len(report.tensors), report.count) == ("model.bin", "model.bin 1.0", 38, 351072)
    assert report.nbytes == 391936
    assert report.checked == "every byte is as it was written"
    assert report.troubles == ()
    with ModelFile(mixed) as model:
        assert report.facts["id"] == model.digest.hex()
        record = model.record(W1)
    tensor = named(report, W1)
    assert (tensor.tag, tensor.rule, tensor.layer, tensor.roles) == (str(record.tag), 5, 1, ("ffn.gate",))
    assert record.error is not None
    assert tensor.sqnr_db == record.error.sqnr_db
    assert [(part.name, part.offset) for part in tensor.parts] == [(part.name, part.offset) for part in record.parts]
    assert tensor.facts["encoder's options"] == "method=kmeans"
    assert tensor.weights is not None
    assert sum(tensor.weights.code_counts) == tensor.count


def test_each_rule_has_what_it_took(mixed: Path) -> None:
    report = gather(ReportRequest(mixed, sample=None))
    assert [len(rule.tensors) for rule in report.rules] == [9, 1, 8, 8, 4, 8]
    assert 'tag = "F32"' in report.rules[0].text
    assert all(tensor.weights is None for tensor in report.tensors)
    assert report.checked == "checksums were not compared"


@pytest.mark.parametrize("name", ["tiny.bin"])
def test_a_checkpoint_without_policy_or_checksums(example: Path, name: str) -> None:
    report = gather(ReportRequest(example / name))
    assert (report.rules, report.checked) == ((), "this kind of file has no checksums")
    assert report.hyper["dim"] == 96


def test_beside_its_original(mixed: Path, example: Path) -> None:
    report = gather(ReportRequest(mixed, against=example / "tiny.bin"))
    assert report.compared is not None
    assert (report.compared.name, report.compared.tensors, report.compared.nbytes) == ("tiny.bin", 38, 4 * 351072)
    assert report.compared.only_here == report.compared.only_there == ()
    tensor = named(report, WQ)
    assert tensor.weights is not None
    assert tensor.weights.error is not None
    assert tensor.sqnr_db is not None
    assert tensor.shown_sqnr == pytest.approx(tensor.sqnr_db, rel=1e-4)
    assert named(report, "norm").shown_sqnr == inf


def test_weights_that_are_not_finite_are_a_difference(tmp_path: Path) -> None:
    """NaN in place of a weight is no lossless copy, and noise in place of zeros is no "exact" one."""
    ones, zeros = np.ones((2, 4), np.float32), np.zeros((2, 4), np.float32)
    here = write_safetensors(tmp_path / "a.safetensors", {"lost": ones * np.nan, "noise": ones, "same": ones})
    there = write_safetensors(tmp_path / "b.safetensors", {"lost": ones, "noise": zeros, "same": ones})
    report = gather(ReportRequest(here, against=there))
    assert [named(report, name).shown_sqnr for name in ("lost", "noise", "same")] == [None, -inf, inf]
    table = differences(report)
    assert ">lost<" in table
    assert "-inf" in table
    assert ">same<" not in table
    assert "exact" not in table


def test_tensors_that_only_one_has(tmp_path: Path) -> None:
    """And one whose shape differs, which is looked at alone."""
    a = write_safetensors(tmp_path / "a.safetensors", {"x": normal(4, 8), "y": normal(4, 8), "z": normal(2, 8)})
    b = write_safetensors(tmp_path / "b.safetensors", {"x": normal(4, 8), "z": normal(4, 8), "w": normal(4, 8)})
    report = gather(ReportRequest(a, against=b))
    assert report.compared is not None
    assert (report.compared.only_here, report.compared.only_there) == (("y",), ("w",))
    assert named(report, "z").weights is not None
    assert named(report, "z").shown_sqnr is None


def test_a_damaged_tensor_is_said_and_the_others_are_shown(mixed: Path, tmp_path: Path) -> None:
    with ModelFile(mixed) as model:
        offset = model.record(WQ).parts[0].offset
    data = bytearray(mixed.read_bytes())
    data[offset] ^= 1
    damaged = tmp_path / "model.bin"
    damaged.write_bytes(data)
    report = gather(ReportRequest(damaged))
    assert report.checked == "1 damaged place"
    assert report.troubles[0].startswith(f"tensor '{WQ}', part 'scales', bytes {offset} to ")
    assert "differ" in str(named(report, WQ).trouble)
    assert [tensor.name for tensor in report.tensors if tensor.weights is None] == [WQ]


def test_a_format_that_nobody_has_is_said(mixed: Path, tmp_path: Path) -> None:
    def edit(index: Index) -> Index:
        tensors = [
            each._replace(tag=as_tag("Nope"), provider=len(index.providers)) if each.name == WQ else each
            for each in index.tensors
        ]
        return attrs.evolve(index, tensors=tuple(tensors), providers=(*index.providers, Provider("far-away", "1.2")))

    rewrite_index(mixed, tmp_path / "model.bin", edit)
    report = gather(ReportRequest(tmp_path / "model.bin", against=mixed))
    tensor = named(report, WQ)
    assert (tensor.tag, tensor.readable, tensor.nbytes) == ("Nope", False, 9600)
    assert "install that package" in str(tensor.trouble)
    assert report.troubles == (f"{WQ}: {tensor.trouble}",)
    assert named(report, W1).weights is not None
    other = gather(ReportRequest(mixed, against=tmp_path / "model.bin"))
    assert str(named(other, WQ).trouble).startswith("not compared: ")
    assert named(other, WQ).weights is not None


def test_costs_tell_each_tensor_and_the_frontier(mixed: Path, example: Path, tmp_path: Path) -> None:
    with open_source(example / "tiny.bin") as source:
        costs = made_up(source, ("Q8_0", "Q8_A", "Q8_B", "Q4_A", "F16"))
    costs.write(tmp_path / "model.costs")
    report = gather(ReportRequest(mixed, against=example / "tiny.bin", costs=tmp_path / "model.costs", sample=None))
    known = named(report, WQ).costs
    assert known is not None
    assert known.kld is not None
    here = [option.name for option in known.options if option.here]
    assert len(here) == 1
    assert here[0].startswith("Q8_A")
    assert report.frontier is not None
    assert report.frontier.here is not None
    assert report.frontier.here[0] == report.nbytes
    assert report.frontier.here[1] == pytest.approx(sum(each.costs.kld or 0 for each in report.tensors if each.costs))
    assert report.frontier.there is None  # the original's format was not measured
    sizes = [nbytes for nbytes, _ in report.frontier.points]
    assert sizes == sorted(sizes)
    assert "F16" in [name for name, _, _ in report.frontier.formats]


def test_an_option_that_another_beats_is_left_out(mixed: Path, example: Path, tmp_path: Path) -> None:
    with open_source(example / "tiny.bin") as source:
        made_up(source).write(tmp_path / "model.costs")
    report = gather(ReportRequest(mixed, costs=tmp_path / "model.costs", sample=None))
    for tensor in report.tensors:
        if tensor.costs is not None:
            klds = [each.kld for each in tensor.costs.options if not each.here and each.kld is not None]
            assert klds == sorted(klds, reverse=True)


def test_costs_of_another_model_are_refused(mixed: Path, tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "a.safetensors", {"x": normal(32, 64)})
    with open_source(path) as source:
        made_up(source).write(tmp_path / "model.costs")
    with pytest.raises(UsageError, match=r"these are the costs of another model than .*model\.bin"):
        gather(ReportRequest(mixed, costs=tmp_path / "model.costs"))


def calibration(path: Path, name: str) -> Calibration:
    path.write_bytes(b"any")
    known = InputStatistics.empty(96)
    known.add(np.linspace(-1, 1, 96 * 4, dtype=np.float32).reshape(4, 96))
    return Calibration(path, "fourcc", None, (), 4, 4, {name: known})


def test_a_calibration_tells_the_inputs(mixed: Path, tmp_path: Path) -> None:
    made = calibration(tmp_path / "c", WQ)
    with open_source(mixed) as source:
        known = inputs(made, source)
    assert list(known) == [WQ]
    assert (known[WQ]["tokens"], known[WQ]["range"], known[WQ]["Hessian"]) == (4, "-1 to 1", "no")
    assert calibration_facts(made)["matrices"] == 1


def test_a_calibration_of_another_model_is_refused(mixed: Path, tmp_path: Path) -> None:
    with open_source(mixed) as source, pytest.raises(UsageError, match="this calibration knows no tensor of"):
        inputs(calibration(tmp_path / "c", "elsewhere"), source)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"<html>" * 10)
    with pytest.raises(InputError, match="not a checkpoint"):
        gather(ReportRequest(tmp_path / "x"))


def test_an_empty_checkpoint_makes_a_report(tmp_path: Path) -> None:
    report = gather(ReportRequest(write_safetensors(tmp_path / "a.safetensors", {})))
    assert (report.tensors, report.nbytes, report.notes) == ((), 0, ("the checkpoint holds no tensor",))
