"""A model that the tables are about: its texts, and the files that are made of it, each only once."""

from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

import attrs

import fourcc
from fourcc.calibration.costs import Costs
from fourcc.calibration.costs_reading import read_costs
from fourcc.calibration.measure import measure


@attrs.frozen
class Texts:
    """Three texts without a word in common.

    Attributes:
        calibrating: what calibration reads.
        measuring: what costs are measured on.
        judging: what the results are judged by.
    """

    calibrating: Path
    measuring: Path
    judging: Path


@attrs.frozen
class Counts:
    """Numbers of tokens of the three texts."""

    calibrating: int
    measuring: int
    judging: int


@attrs.define(slots=False)  # for cached properties
class Subject:
    """A model.

    Attributes:
        name: of the folder of its files.
        source: its file.
        tokenizer: its tokenizer's file; None: the original holds one.
        texts, counts: what is read, and how much of it.
        folder: where files are made.
        options: the formats that mixes are made of.
        group: matrices that share a format, as `fourcc measure --group` takes them; None: none.
        decoded: whether what the file's weights decode to is the original, in float32.
    """

    name: str
    source: Path
    tokenizer: Path | None
    texts: Texts
    counts: Counts
    folder: Path
    options: str
    group: str | None = None
    decoded: bool = False

    @cached_property
    def original(self) -> Path:
        """The model.bin that everything is made of and compared with; it has the tokenizer, so budgets count it."""
        kind = "F32" if self.decoded else None
        return self._made(
            "original.bin",
            lambda path: fourcc.convert(self.source, path, format=kind, tokenizer=self.tokenizer),
        )

    def _made(self, name: str, make: Callable[[Path], object]) -> Path:
        path = self.folder / self.name / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            make(path)
        return path

    @cached_property
    def calibration(self) -> Path:
        """Its calibration, with Hessians."""

        def make(path: Path) -> None:
            fourcc.calibrate(
                self.original,
                self.texts.calibrating,
                path,
                hessian=True,
                documents=True,
                tokens=self.counts.calibrating,
            )

        return self._made("model.calib", make)

    def costs(self, *, feedback: str | None = None, options: str | None = None, name: str = "costs") -> Path:
        """The costs of the options, with importance."""

        def make(path: Path) -> None:
            measure(
                self.original,
                self.texts.measuring,
                path,
                calibration=self.calibration,
                options=options or self.options,
                group=self.group,
                feedback=feedback,
                documents=True,
                tokens=self.counts.measuring,
            )

        return self._made(f"{name}{'.' + feedback if feedback else ''}.costs", make)

    def known_costs(self, **asked: str | None) -> Costs:
        """The same, read."""
        return read_costs(self.costs(**asked))  # type: ignore[arg-type]  # names and values of `costs`

    def converted(
        self,
        name: str,
        *,
        policy: str | None = None,
        recipe: str | None = None,
        importance: bool = True,
        feedback: str | None = None,
    ) -> Path:
        """A model.bin by a policy's text or a recipe."""

        def make(path: Path) -> None:
            fourcc.convert(
                self.original,
                path,
                policy=policy,
                recipe=recipe,
                calibration=fourcc.open_calibration(self.calibration) if importance or feedback else None,
                feedback=feedback,
            )

        return self._made(f"{name}.bin", make)

    def divergence(self, path: Path, *, measuring: bool = False) -> float:
        """KL divergence of a file's weights from the original, in nats a token; activations are exact.

        Args:
            path: a model.bin.
            measuring: on the text that costs are measured on, in place of the one that results are judged by.
        """
        told = path.with_suffix(".measuring" if measuring else ".judging")
        if not told.exists():
            evaluation = fourcc.evaluate(
                path,
                self.texts.measuring if measuring else self.texts.judging,
                reference=self.original,
                documents=True,
                tokens=self.counts.measuring if measuring else self.counts.judging,
                activations="exact",
            )
            assert evaluation.divergence is not None
            told.write_text(repr(evaluation.divergence.mean), encoding="utf-8")
        return float(told.read_text(encoding="utf-8"))


def uniform(option: str, *, embedding: str | None = "Q8_0") -> str:
    """The text of a policy: all matrices in a format, norms as they are stored, the embedding in its own format.

    Args:
        option: ``TAG`` or ``TAG:NAME=VALUE`` with an encoder's option.
        embedding: the embedding's format; None: as all others.
    """
    tag, *settings = option.split(":")
    rules = ['version = 1\n\n[[rule]]\ndims = "<2"\nkeep = true\n']
    if embedding is not None and embedding != tag:
        rules.append(f'\n[[rule]]\nrole = "embedding"\ntag = "{embedding}"\n')
    rules.append(f'\n[[rule]]\nmatch = "*"\ntag = "{tag}"\n')
    rules += [f"{where} = {{ {_toml(tag, settings, where)} }}\n" for where in ("params", "encoder") if _of(tag, where)]
    return "".join(rules)


def _of(tag: str, where: str) -> Iterable[str]:
    fmt = fourcc.registry[tag]
    return [each.name for each in (fmt.params if where == "params" else fmt.options)]


def _toml(tag: str, settings: list[str], where: str) -> str:
    given = [each.partition("=") for each in settings]
    return ", ".join(f"{name} = {_value(value)}" for name, _, value in given if name in _of(tag, where))


def _value(text: str) -> str:
    return text if text.lstrip("-").replace(".", "", 1).isdigit() or text in {"true", "false"} else f'"{text}"'
