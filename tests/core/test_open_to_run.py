"""`fourcc.open(path, run=True)`: any checkpoint as a model that writes."""

from pathlib import Path

import pytest

import fourcc
from fourcc.errors import UsageError


@pytest.fixture(scope="module")
def exported(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The shipped model as a model.bin, and as the GGUF file that is exported from it."""
    folder, example = tmp_path_factory.mktemp("models"), root / "fourcc" / "example"
    own, other = folder / "m.bin", folder / "m.gguf"
    fourcc.convert(example / "tiny.bin", own, format="Q8_0,F16", tokenizer=example / "tiny_tokenizer.bin")
    fourcc.export(own, other)
    return own, other


def test_any_checkpoint_writes(exported: tuple[Path, Path]) -> None:
    """It is the text of the model.bin that it was made from; nothing is left on the disk."""
    own, other = exported
    with fourcc.open(own, run=True) as one, fourcc.open(other, run=True) as two:
        assert isinstance(two, fourcc.Model)
        assert two.generate("One day", max_tokens=8) == one.generate("One day", max_tokens=8)
    assert sorted(path.name for path in own.parent.iterdir()) == ["m.bin", "m.gguf"]


def test_a_source_says_how_it_would_write(exported: tuple[Path, Path]) -> None:
    """It names what only a model has; other attributes are missing as usual."""
    with fourcc.open(exported[1]) as source:
        for name in ("generate", "stream", "chat", "tokenizer"):
            with pytest.raises(AttributeError, match=r"it holds tensors. `fourcc.open\('.*', run=True\)`"):
                getattr(source, name)
        with pytest.raises(AttributeError, match=r"has no attribute 'foo'$"):
            getattr(source, "foo")  # noqa: B009 - mypy knows that there is none
        assert not hasattr(source, "generate")


def test_words_of_other_tools(exported: tuple[Path, Path]) -> None:
    """`top_p` and `max_tokens`; a number that means nothing is refused."""
    with fourcc.Model(exported[0]) as model:
        drawn = [model.generate("One", temperature=4.0, top_p=share, seed=3, max_tokens=9) for share in (0.01, 1.0)]
        assert drawn[0] == model.generate("One", max_tokens=9)  # so small a share is the likeliest token
        assert drawn[0] != drawn[1]
        assert len(list(model.stream("One", max_tokens=3))) <= 3 + 2
        for number in (0, -1):
            with pytest.raises(UsageError, match="bad number of new tokens"):
                model.generate("One", max_tokens=number)
            with pytest.raises(UsageError, match="bad number of new tokens"):
                model.chat(max_tokens=number)
