"""From a tag to a subject: looks up the format's entry point and loads its module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from fourcc.errors import DuplicateTagError, MissingFormatError, PluginError, UsageError
from fourcc.plugins import apart
from fourcc.plugins.entries import FORMATS, OWN, Entry
from fourcc.plugins.registry import registry
from fourcc.settings import Params, Setting
from fourcc.tags import FourCC
from fourcc.testing.finding import Finding, Outcome
from fourcc.testing.process import LIMIT, Answer, import_apart
from fourcc.testing.subject import Subject

CHECK, THEME = "loads", "declared"
SLOW = 1.0  # seconds of an import that are worth a note
SHOWN = 200  # characters of what an import prints
# A text in the registry's error -> its most likely cause, and what to do.
CAUSES = (
    ("SystemExit", "the module ends the process when it is imported", "Importing must only define: no sys.exit()."),
    ("its entry point is named", "the entry point's name and the spec's tag differ", "Make both the same."),
    ("is reserved", "tags of capitals only are fourcc's own", "Give the tag a lower-case letter."),
    ("expected a fourcc.Format", "the entry point names something else", 'It is `Tagx = "module:ATTRIBUTE"`.'),
    ("of the seam", "the format was written for another version of fourcc's seam", "Upgrade the one that is named."),
    (
        "ModuleNotFoundError",
        "a dependency is missing, or the entry point names no module",
        "Install it, or correct it.",
    ),
    ("AttributeError", "the entry point names an attribute that the module lacks", "Correct it, and install again."),
    ("FOURCC_PLUGINS", "the environment allows other plugins only", "Name the distribution there, or unset it."),
    ("SyntaxError", "the module is no Python", "Correct the line that is named."),
    ("", "the declaration contradicts itself, or the module fails when it is imported", "Correct what is named."),
)


def loaded(tag: FourCC, limit: float = LIMIT) -> Outcome:
    """The outcome of loading a tag's format; another process imports it first, because the import may kill a process.

    Args:
        tag: the format's.
        limit: seconds that the import may take; no more than where all plugins are listed count.

    Raises:
        MissingFormatError: no distribution declares the tag.
    """
    tried = f"load {tag} from the entry-point group {FORMATS}"
    notes: tuple[Finding, ...] = ()
    try:
        entry = registry.entry(tag)
        if entry.distribution != OWN:
            told = import_apart(entry.target, min(limit, apart.LIMIT))
            if isinstance(told, Finding):
                return _outcome(told)
            notes = tuple(_imported(told, entry))
        registry[tag]
    except MissingFormatError:
        raise
    except DuplicateTagError as error:
        advice = error.hint or ""
        return _outcome(Finding(what="two distributions declare the tag", tried=tried, found=error.what, advice=advice))
    except PluginError as error:
        cause, advice = next((why, what) for sign, why, what in CAUSES if sign in error.what)
        what = "the format cannot be used"
        return _outcome(Finding(what=what, tried=tried, found=error.what, cause=cause, advice=advice))
    return _outcome(*notes)


def _imported(told: Answer, entry: Entry) -> Iterator[Finding]:
    """Notes on an import that prints, or takes long."""
    printed, seconds = str(told["printed"]), float(str(told["seconds"]))
    if printed:
        yield Finding(
            what="the module prints when it is imported",
            tried=f"import {entry.target}",
            found=repr(printed if len(printed) <= SHOWN else printed[:SHOWN] + "..."),
            advice="stdout is for data: print nothing, or use logging or warnings.",
            note=True,
        )
    if seconds > SLOW:
        yield Finding(
            what=f"importing the module takes {seconds:.1f} s",
            tried=f"import {entry.target}",
            cause="it computes tables, reads files, or imports a large package",
            advice="`fourcc formats` imports every format: do such work in the functions that need it, once.",
            note=True,
        )


def _outcome(*findings: Finding) -> Outcome:
    return Outcome(check=CHECK, theme=THEME, findings=findings)


def owner(tag: FourCC) -> tuple[str, str]:
    """Distribution and version, and target, of a tag; empty where they are not known."""
    entry = _entry(tag)
    return ("", "") if entry is None else (entry.owner, entry.target)


def _entry(tag: FourCC) -> Entry | None:
    try:
        return registry.entry(tag)
    except PluginError:
        return None


def subject_of(
    tag: FourCC, given: Mapping[str, str], chosen: Mapping[str, str], vectors: Path | None = None
) -> Subject:
    """The subject of an installed format.

    Args:
        tag: the format's.
        given: parameters of the layout, as texts.
        chosen: options of the encoder, as texts.
        vectors: the file of its stored bytes; None: the file beside its module.

    Raises:
        UsageError: the format has no such setting, or does not allow the value.
        PluginError: the format cannot be used.
    """
    fmt = registry[tag]
    try:
        params, options = _parsed(fmt.params, given), _parsed(fmt.options, chosen)
        return Subject.of(fmt, params=params, options=options, vectors=vectors)
    except ValueError as error:
        raise UsageError(f"{tag}: {error}", hint=f"`fourcc formats {tag}` lists its settings.") from error


def _parsed(declared: tuple[Setting, ...], given: Mapping[str, str]) -> Params:
    """Texts as values of the settings' types; a text that is no such value stays, and is refused later."""
    kinds = {setting.name: type(setting.default) for setting in declared}
    return {name: _value(kinds.get(name, str), text) for name, text in given.items()}


def _value(kind: type, text: str) -> object:
    if kind is bool:
        return {"true": True, "false": False}.get(text, text)
    try:
        return kind(text)
    except ValueError:
        return text
