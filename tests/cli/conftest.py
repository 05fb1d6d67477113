"""Runs of the command line, in this process or in one of its own, and small models to run it on."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs
import pytest

import fourcc
from fourcc.cli.app import main
from fourcc.cli.render import json_documents
from fourcc.container.index import Index, Provider
from fourcc.plugins.entries import FORMATS
from fourcc.tags import as_tag
from tests.cli.making import ODD, Run, Runner, rewrite_index
from tests.specs.json_schemas import schemas


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the developer's own environment changes what is tested."""
    for name in (
        "CLICOLOR_FORCE",
        "COLUMNS",
        "FORCE_COLOR",
        "FOURCC_DEBUG",
        "FOURCC_PLUGINS",
        "FOURCC_THREADS",
        "NO_COLOR",
        "PYTHONUNBUFFERED",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def validators() -> dict[str, Any]:
    """Validators of what ``--json`` prints, by the names of the schemas; none where jsonschema is not installed."""
    if find_spec("jsonschema") is None:
        return {}
    from jsonschema import Draft202012Validator

    return {title: Draft202012Validator(schema) for title, schema in schemas().items()}


@pytest.fixture(autouse=True)
def valid_documents(validators: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test lets a command print as JSON in this process is as its schema says."""
    made = json_documents.document

    def checked(kind: str, body: Mapping[str, object]) -> dict[str, object]:
        document = made(kind, body)
        if validators:
            validators[str(document["schema"])].validate(json.loads(json.dumps(document)))
        return document

    monkeypatch.setattr(json_documents, "document", checked)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Runner:
    """Runs the command line in this process."""

    def call(*arguments: object) -> Run:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Run(code, captured.out, captured.err)

    return call


@pytest.fixture
def process() -> Runner:
    """Runs the command line in a process of its own."""

    def call(*arguments: object, env: Mapping[str, str] | None = None, flags: tuple[str, ...] = ()) -> Run:
        command = [sys.executable, *flags, "-m", "fourcc", *map(str, arguments)]
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})}, encoding="utf-8"
        )
        return Run(ended.returncode, ended.stdout, ended.stderr)

    return call


@pytest.fixture(scope="session")
def tiny(root: Path) -> Path:
    """The llama2.c checkpoint of the repository: 38 tensors, 351072 weights, float32."""
    return root / "fourcc" / "example" / "tiny.bin"


@pytest.fixture(scope="session")
def model(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model in Q8_0, or F16 for rows of 176, with its tokenizer; not to be changed."""
    path = tmp_path_factory.mktemp("model") / "model.bin"
    tokenizer = tiny.with_name("tiny_tokenizer.bin")
    fourcc.convert(tiny, path, policy=fourcc.Policy.shorthand("Q8_0,F16"), tokenizer=tokenizer)
    return path


@pytest.fixture(scope="session")
def unknown(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model with one tensor in a format that nobody has installed."""
    path = tmp_path_factory.mktemp("unknown") / "model.bin"

    def edit(index: Index) -> Index:
        tensors = [
            tensor._replace(tag=as_tag("Nope"), provider=len(index.providers)) if tensor.name == ODD else tensor
            for tensor in index.tensors
        ]
        return attrs.evolve(index, tensors=tuple(tensors), providers=(*index.providers, Provider("far-away", "1.2")))

    rewrite_index(model, path, edit)
    return path


@pytest.fixture
def plugin(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Makes an installed distribution of one module; gives the environment in which it is found."""

    def make(distribution: str, entry: str, code: str, group: str = FORMATS) -> dict[str, str]:
        folder = tmp_path / "site"
        info = folder / f"{distribution}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        module = distribution.replace("-", "_")
        (info / "entry_points.txt").write_text(f"[{group}]\n{entry} = {module}:FORMAT\n")
        (folder / f"{module}.py").write_text(code)
        return {"PYTHONPATH": str(folder)}

    return make
