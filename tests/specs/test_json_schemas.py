"""The output of ``--json`` is as the schemas say, and the page has all of them."""

import re
from pathlib import Path
from typing import Any

import pytest

from fourcc.cli.render import json_documents
from tests.specs.json_documents import documents
from tests.specs.json_schemas import PAGE, SCHEMAS, fields, page, schemas


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, dict[str, Any]]]:
    """The objects that the commands print, each with its command."""
    return list(documents(tmp_path_factory.mktemp("json")))


def test_every_document_has_its_schema() -> None:
    """The command line's list is the folder's, and a file is named for what it describes."""
    assert {f"fourcc.{name}/{version}" for name, version in json_documents.SCHEMAS.items()} == set(schemas())
    names = {name.replace(" --", "-") for name in json_documents.SCHEMAS}
    assert {file.stem for file in SCHEMAS.glob("*.json")} == names


def test_the_page_is_made_of_the_schemas() -> None:
    """`python -m tests.specs.json_schemas --update` renews it."""
    assert page() == PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("title", schemas())
def test_every_field_is_described(title: str) -> None:
    """Each has a meaning, or is an object of fields that have; objects name all of their fields."""
    for path, inner, _ in fields(schemas()[title]):
        assert inner.get("description") or inner.get("properties"), path
        assert "object" not in _types(inner) or "additionalProperties" in inner or "$comment" in inner, path


def _types(schema: dict[str, Any]) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else types


def test_schemas_are_schemas() -> None:
    """JSON Schema 2020-12 is their language."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is in the extra `test`")
    for each in schemas().values():
        jsonschema.Draft202012Validator.check_schema(each)


@pytest.mark.thorough
def test_what_commands_print_is_valid(printed: list[tuple[str, dict[str, Any]]]) -> None:
    """Every command is run, and every schema is met at least once."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is in the extra `test`")
    validators = {title: jsonschema.Draft202012Validator(schema) for title, schema in schemas().items()}
    for command, each in printed:
        errors = [f"{list(found.path)}: {found.message}" for found in validators[each["schema"]].iter_errors(each)]
        assert not errors, f"{command}: {errors}"
    assert {each["schema"] for _, each in printed} == set(schemas())


@pytest.mark.thorough
def test_every_field_is_printed_by_some_command(printed: list[tuple[str, dict[str, Any]]]) -> None:
    """Else its ``$comment`` says when it is."""
    seen: dict[str, set[str]] = {}
    for _, each in printed:
        seen.setdefault(each["schema"], set()).update(_paths(each))
    for title, schema in schemas().items():
        unseen = {path for path, inner, _ in fields(schema) if "$comment" not in inner} - _starred(seen[title], schema)
        assert unseen == set(), f"{title}: {sorted(unseen)}"


def _paths(value: object, path: str = "") -> set[str]:
    """The paths of all fields of a document; null has none below it."""
    if isinstance(value, dict):
        below = {f"{path}.{name}" if path else name: inner for name, inner in value.items()}
        return set(below).union(*(_paths(inner, name) for name, inner in below.items()))
    if isinstance(value, list):
        return set().union(*(_paths(each, f"{path}[]") for each in value))
    return set()


def _starred(paths: set[str], schema: dict[str, Any]) -> set[str]:
    """Paths with ``*`` where the schema has a map."""
    maps = [path for path, inner, _ in fields(schema) if isinstance(inner.get("additionalProperties"), dict)]
    found = set(paths)
    for each in maps:
        pattern = re.compile(rf"^{re.escape(each)}\.[^.\[]+")
        found |= {pattern.sub(f"{each}.*", path) for path in paths}
    return found


def test_an_unknown_field_is_found(tmp_path: Path) -> None:
    """The schemas allow no others, so that none is printed that is not written down."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is in the extra `test`")
    document = json_documents.document("recipes", {"recipes": [{"name": "a", "summary": "b", "more": 1}]})
    with pytest.raises(jsonschema.ValidationError, match="'more' was unexpected"):
        jsonschema.validate(document, schemas()["fourcc.recipes/1"])
