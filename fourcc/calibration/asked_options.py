"""The formats that are asked for as options of a measurement: ``Q4_K,NF4:group=64``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping

from fourcc.errors import MissingFormatError, UsageError
from fourcc.format import Format
from fourcc.plugins.registry import registry
from fourcc.policy.asked_formats import TargetFormat
from fourcc.policy.places import NEAR_TAGS, nearest
from fourcc.settings import Setting, complete
from fourcc.tags import as_tag

HINT = "Options are tags with commas between them, each with its settings: TAG or TAG:NAME=VALUE:NAME=VALUE."
SHARED = "ggml"  # the system whose layouts are the default options, as most files in use have them
WORDS = {"true": True, "false": False}


def asked_options(text: str | Iterable[str] | None) -> tuple[TargetFormat, ...]:
    """The options that a text asks for, in its order.

    Args:
        text: ``TAG[:NAME=VALUE]...[,TAG...]``, or such texts without commas; None: the default options.

    Raises:
        UsageError: a tag or a setting is misspelled, a format is missing or has no encoder, or an option comes twice.
        PluginError: a format is broken.
    """
    if text is None:
        return default_options()
    pieces = text.split(",") if isinstance(text, str) else list(text)
    options: list[TargetFormat] = []
    for piece in pieces:
        option = _asked(piece.strip())
        if option in options:
            raise UsageError("an option is asked for twice", found=piece.strip(), hint=HINT)
        options.append(option)
    return tuple(options)


def default_options() -> tuple[TargetFormat, ...]:
    """Every quantized format of ggml's that encodes without calibration data, in the order of its bits."""
    return tuple(target for target in _quantized() if SHARED in target.format.foreign)


def spare_options() -> tuple[TargetFormat, ...]:
    """Every other such format: for matrices that no default option fits."""
    return tuple(target for target in _quantized() if SHARED not in target.format.foreign)


def _quantized() -> list[TargetFormat]:
    formats = [fmt for fmt, _ in registry.working() if fmt.encode and not fmt.needs]
    quantized = [fmt for fmt in formats if fmt.real and fmt.codes is not None]
    targets = [TargetFormat(fmt, complete(fmt.params, {}), complete(fmt.options, {})) for fmt in quantized]
    return sorted(targets, key=lambda target: (target.format.bits_per_weight(), target.format.tag))


def spelled_option(target: TargetFormat) -> str:
    """An option as `asked_options` takes it: the tag, and the settings that are not the defaults."""
    given = [(setting, value[setting.name]) for settings, value in _halves(target) for setting in settings]
    changed = [f"{setting.name}={_word(value)}" for setting, value in given if value != setting.default]
    return ":".join([str(target.format.tag), *changed])


def _halves(target: TargetFormat) -> tuple[tuple[tuple[Setting, ...], Mapping[str, object]], ...]:
    return (target.format.params, target.params), (target.format.options, target.options)


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _asked(piece: str) -> TargetFormat:
    tag, *settings = piece.split(":")
    fmt = _format(tag.strip())
    if fmt.encode is None:
        raise UsageError(f"the format {fmt.tag} has no encoder", hint="Leave it out of the options.")
    params: dict[str, object] = {}
    options: dict[str, object] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        known = next((each for each in (*fmt.params, *fmt.options) if each.name == name.strip()), None)
        if known is None:
            raise _unknown_setting(fmt, name.strip())
        (params if known in fmt.params else options)[known.name] = _value(fmt, known, value.strip())
    return TargetFormat(fmt, complete(fmt.params, params), complete(fmt.options, options))


def _format(tag: str) -> Format:
    try:
        return registry[as_tag(tag)]
    except ValueError as error:
        raise UsageError(str(error), hint=HINT) from error
    except MissingFormatError as error:
        raise UsageError(error.what, hint=nearest(tag, registry, NEAR_TAGS) or error.hint) from error


def _unknown_setting(fmt: Format, name: str) -> UsageError:
    known = [setting.name for setting in (*fmt.params, *fmt.options)]
    expected = ", ".join(known) or "none: it has no settings"
    return UsageError(f"{fmt.tag} has no such setting", found=name, expected=expected, hint=HINT)


def _value(fmt: Format, setting: Setting, text: str) -> object:
    """The value that a text spells, of the setting's type."""
    kind = type(setting.default)
    value: object = text
    with contextlib.suppress(ValueError):  # a text that spells no number is refused as any value of another type
        value = WORDS.get(text, text) if kind is bool else kind(text)
    try:
        return setting.check(value)
    except ValueError as error:
        raise UsageError(f"{fmt.tag}: bad {setting.name}: {error}", hint=setting.summary) from error
