"""`fourcc eval`: perplexity of models on a text, and how far they are from a reference."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fourcc.cli import documents, options, tables, terminal
from fourcc.cli.opened import opened
from fourcc.cli.progress import Progress
from fourcc.cli.tables import Column
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from fourcc.models.evaluate import Interval, Scores
    from fourcc.models.llama import Llama
    from fourcc.models.windows import Window

EPILOG = """\b
Examples:
  fourcc eval model.bin --text story.txt
  fourcc eval q8.bin q4.bin --text story.txt --reference model.bin
  fourcc eval q4.bin --text story.txt --reference model.bin --max-kld 0.05 || echo worse

The reference runs in lock step; no logits are stored. Intervals hold the true value with 95 % confidence."""

LOSS = (
    Column("model"),
    Column("tokens", right=True),
    Column("nats/token", right=True),
    Column("perplexity", right=True),
)
AGAINST = (
    Column("ppl ratio", right=True),
    Column("KLD mean", right=True),
    Column("median", right=True),
    Column("99 %", right=True),
    Column("max", right=True),
    Column("top-1", right=True),
)

Models = Annotated[list[Path], typer.Argument(metavar="MODEL...", help="Models: model.bin, or checkpoints.")]
Text = Annotated[Path, typer.Option("--text", metavar="FILE", help="The text, UTF-8.")]
Reference = Annotated[Path | None, typer.Option("--reference", metavar="MODEL", help="What the others should be like.")]
Context = Annotated[int, typer.Option("--context", metavar="N", help="Tokens of a window.  [default: the model's]")]
Stride = Annotated[int, typer.Option("--stride", metavar="N", help="New tokens of a window; 0: they do not overlap.")]
Documents = Annotated[bool, typer.Option("--documents", help="Empty lines part documents, each read by itself.")]
Limit = Annotated[int, typer.Option("--tokens", metavar="N", help="Tokens to score at most; 0: all.")]
MaxKld = Annotated[float | None, typer.Option("--max-kld", metavar="X", help="Exit code 1 if the mean KLD is above.")]
MaxRatio = Annotated[
    float | None, typer.Option("--max-ppl-ratio", metavar="X", help="Exit code 1 if the perplexity ratio is above.")
]
MinTop1 = Annotated[
    float | None, typer.Option("--min-top1", metavar="X", help="Exit code 1 if top-1 agreement (0 to 1) is below.")
]
Tokenizer = Annotated[Path | None, typer.Option("-z", "--tokenizer", metavar="FILE", help="Tokenizer of checkpoints.")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("eval", epilog=EPILOG)(evaluate)


def evaluate(  # noqa: PLR0913 - one an option
    models: Models,
    *,
    text: Text,
    reference: Reference = None,
    context: Context = 0,
    stride: Stride = 0,
    parted: Documents = False,
    limit: Limit = 0,
    max_kld: MaxKld = None,
    max_ratio: MaxRatio = None,
    min_top1: MinTop1 = None,
    tokenizer: Tokenizer = None,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Measure models on a text: perplexity, and KL divergence from a reference."""
    from fourcc.models import evaluate as measuring
    from fourcc.models.windows import Protocol, windows

    gates = {"max_kld": max_kld, "max_ppl_ratio": max_ratio, "min_top1": min_top1}
    if reference is None and any(gate is not None for gate in gates.values()):
        raise UsageError("a gate compares with a reference", hint="Add --reference MODEL.")
    with ExitStack() as stack:
        files = [opened(path, tokenizer, None, None, stack, quiet=True) for path in models]
        against = None if reference is None else opened(reference, tokenizer, None, None, stack, quiet=True)
        first = against if against is not None else files[0]
        longest = min(int(str(file.index.hyper.get("seq_len", 0))) for file in [*files, first])
        protocol = Protocol(context or longest, stride, parted, limit)
        cut = list(windows(_read(text), first.tokenizer, protocol))
        networks = [file.network(protocol.context, threads) for file in files]
        network = None if against is None else against.network(protocol.context, threads)
        scores, own = _measured(networks, cut, network, quiet=quiet)
        floor = None if network is None else measuring.noise_floor(network, cut[0])
    body: dict[str, object] = {
        "text": {"file": str(text), "sha256": hashlib.sha256(text.read_bytes()).hexdigest()},
        "protocol": str(protocol),
        "tokens": scores[0].tokens,
        "noise_floor": floor,
        "models": [_document(path, each, own) for path, each in zip(models, scores, strict=True)],
        "reference": None if own is None or reference is None else _document(reference, own, None),
    }
    failures = [_failures(path, each, own, gates) for path, each in zip(models, scores, strict=True)] if own else []
    if as_json:
        documents.show("eval", {**body, "failed": [text for each in failures for text in each]})
    else:
        _show(models, scores, reference, own, body)
        for line in (line for each in failures for line in each):
            terminal.out(line)
    if any(failures):
        raise typer.Exit(1)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        found = f"byte 0x{error.object[error.start]:02x}"
        raise UsageError("the text is not UTF-8", file=path, offset=error.start, found=found) from error


def _measured(
    networks: list[Llama], cut: list[Window], network: Llama | None, *, quiet: bool
) -> tuple[list[Scores], Scores | None]:
    from fourcc.models.evaluate import evaluate as measure

    total, done = sum(window.scored for window in cut), 0
    with Progress("scoring", total, quiet=quiet) as progress:

        def report(tokens: int) -> None:
            nonlocal done
            done += tokens
            progress("", done, total)

        return measure(networks, cut, network, report)


def _failures(path: Path, scores: Scores, own: Scores, gates: dict[str, float | None]) -> list[str]:
    """What does not keep to a gate, in words."""
    found = {
        "max_kld": scores.divergence.mean,
        "max_ppl_ratio": scores.ratio(own).mean,
        "min_top1": scores.agreement.mean,
    }
    failed = []
    for name, gate in gates.items():
        if gate is not None and (found[name] < gate if name.startswith("min") else found[name] > gate):
            failed.append(f"{path}: --{name.replace('_', '-')}: found {found[name]:.6g}, expected {gate:g}")
    return failed


def _show(
    models: list[Path], scores: list[Scores], reference: Path | None, own: Scores | None, body: dict[str, object]
) -> None:
    rows = [
        [str(path), *_loss(each), *([] if own is None else _against(each, own))]
        for path, each in zip(models, scores, strict=True)
    ]
    if own is not None:
        rows.append([f"{reference} (reference)", *_loss(own), *[""] * len(AGAINST)])
    tables.show(LOSS if own is None else (*LOSS, *AGAINST), rows)
    terminal.out("")
    terminal.out(f"{body['protocol']}; text SHA-256 {body['text']['sha256'][:16]}")  # type: ignore[index]
    if body["noise_floor"] is not None:
        terminal.out(f"noise floor of the KLD: {body['noise_floor']:.2g} nats")


def _loss(scores: Scores) -> list[str]:
    loss, perplexity = scores.loss, scores.perplexity
    half = (loss.high - loss.low) / 2
    return [str(scores.tokens), f"{loss.mean:.4f} ± {half:.4f}", f"{perplexity.mean:.4f}"]


def _against(scores: Scores, own: Scores) -> list[str]:
    ratio, divergence = scores.ratio(own), scores.divergence
    spread = (divergence.high - divergence.low) / 2
    return [
        f"{ratio.mean:.5f}",
        f"{divergence.mean:.3g} ± {spread:.1g}",
        *(f"{scores.quantile(share):.3g}" for share in (0.5, 0.99, 1)),
        f"{100 * scores.agreement.mean:.2f} %",
    ]


def _document(path: Path, scores: Scores, own: Scores | None) -> dict[str, object]:
    found: dict[str, object] = {
        "model": str(path),
        "loss": _interval(scores.loss),
        "perplexity": _interval(scores.perplexity),
    }
    if own is not None:
        shares = {"median": 0.5, "99": 0.99, "max": 1.0}
        found["perplexity_ratio"] = _interval(scores.ratio(own))
        found["kl_divergence"] = {
            **_interval(scores.divergence),
            **{name: documents.number(scores.quantile(share)) for name, share in shares.items()},
        }
        found["top1_agreement"] = _interval(scores.agreement)
    return found


def _interval(value: Interval) -> dict[str, float | None]:
    return {name: documents.number(getattr(value, name)) for name in ("mean", "low", "high")}
