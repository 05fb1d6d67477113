"""The gallery: every registered format with a drawing of its block, its figures, and who provides it."""

from __future__ import annotations

from math import isfinite
from pathlib import Path

from fourcc.drawing.markup import element, number, text
from fourcc.drawing.table import Markup, table
from specs.site import abilities, block_drawing, measured
from specs.site.blocks import block_of
from specs.site.formats_shown import Group, Shown, groups

ADDRESS = "formats/index.md"
HEAD = """\
# Gallery of formats

Every format that is registered, {count} of them: what a block looks like in memory, what it costs, what it loses, how
fast it is. In the drawings a square is a byte, the same size everywhere, in the order in which bytes are stored. Blue
ones hold what single weights have (codes), the others what weights share (scales, offsets, bins). Arrays that are
stored apart stand apart. A flat dash is a byte that is stored once for a whole row, column or matrix.

<!-- picture: formats -->

<form class="fc-controls" hidden>
<label>Filter <input type="search" class="fc-filter" placeholder="tag, word, ggml, ..."></label>
<label><input type="checkbox" class="fc-only" value="written"> can be written</label>
<label><input type="checkbox" class="fc-only" value="native"> has a kernel of its own</label>
<output class="fc-count"></output>
</form>
"""
FOOT = """\
## What the columns mean

| column | meaning |
|---|---|
| bits | per weight of a large matrix, scales included; codes blue, the rest orange |
| SQNR | of normal weights, and of heavy-tailed ones (Student's t with 5 degrees of freedom): more is better |
| KLD | KL divergence of a small model with all matrices in the format: less is better; {floor} is its embedding's |
| GB/s | stored bytes that a product with one activation reads in a second, on two threads |
| products | *native*: by a kernel of its own; *fused*: by one made from its decoder; *decode*: decoded first |
| elsewhere | the same bytes in other projects: ids of ggml, dtypes of safetensors, layouts of tools |

A dash is what has not been measured, or cannot be: formats that are only decoded come from other tools' files.

SQNR and KLD are from [the table of all formats](../measured-formats.md), which names its script, machine and versions.
Speeds: {speeds}

## Formats of your own

A format is one Python value in a package of yours, with one line of metadata; nothing in fourcc is edited. From then on
`fourcc formats` lists it, every command takes its tag, and this gallery, built where it is installed, shows it.
[The guide](../writing-a-format.md) makes one step by step; [the seam](../seam.md) is the reference. What a third party
provides has a lower-case letter in its tag; tags without one are reserved.
"""


def page(root: Path) -> str:
    """The gallery."""
    shown = groups()
    parts = [HEAD.format(count=sum(len(group.formats) for group in shown))]
    parts += [_section(group, root) for group in shown]
    floor = measured.of("F32", root).divergence
    parts.append(FOOT.format(floor=f"{floor:.2g}" if floor else "a little", speeds=measured.speeds_heading(root)))
    return "\n".join(parts)


def _section(group: Group, root: Path) -> str:
    """The table of a kind; integers are not multiplied and lose nothing, so they have fewer columns."""
    weights = group.kind != "integers"
    rows = [_ends(each, _figures(each, root) if weights else {}) for each in group.formats]
    ids = [_name(each) for each in group.formats]
    made = table(rows, caption=f"{len(rows)} formats", ids=ids, sortable=True)
    kind = "fc-site fc-gallery" if weights else "fc-site fc-gallery fc-few"
    around = element("div", made, class_=kind, tabindex=0, role="region", aria_label=group.title)
    return f"## {group.title}\n\n{around}\n"


def _name(shown: Shown) -> str:
    """The row's id: tags of third parties differ from others in case alone."""
    return f"format-{shown.tag.strip()}"


def _ends(shown: Shown, between: dict[str, object]) -> dict[str, object]:
    """The row of a format: its block and bits, its figures, where else it is found."""
    return {
        "format": Markup(_title(shown), shown.tag),
        "block": _drawn(shown),
        "bits": _bits(shown),
        **between,
        "elsewhere": abilities.elsewhere(shown.fmt) or None,
        "provided by": shown.entry.owner,
    }


def _figures(shown: Shown, root: Path) -> dict[str, object]:
    """Errors and speed."""
    found = measured.of(shown.tag, root)
    return {
        "SQNR, dB": _measure(found.gauss),
        "heavy tails": _measure(found.heavy),
        "KLD": None if found.divergence is None else Markup(number(found.divergence, 2), found.divergence),
        "GB/s": _measure(found.speed),
        "products": abilities.level(shown.fmt),
    }


def _title(shown: Shown) -> str:
    """Tag, with a link to its page, and its summary."""
    written = abilities.written(shown.fmt)
    words = " ".join(["written"] * written + [abilities.level(shown.fmt)])
    name = element("code", text(shown.tag))
    link = element("a", name, href=f"../{shown.page.removesuffix('.md')}.html") if shown.page else name
    real = "" if shown.fmt.name == shown.tag else f" {text(shown.fmt.name)}"
    only = "" if written else "; read, not written"
    return element("span", link, real, data_words=words) + element("small", text(f"{shown.fmt.summary}{only}"))


def _drawn(shown: Shown) -> Markup:
    block = block_of(shown.fmt)
    size = abilities.shape(shown.fmt)
    drawn = block_drawing.drawing(block, abilities.described(shown.fmt))
    return Markup(drawn + element("small", text(size)), float(block.nbytes))


def _bits(shown: Shown) -> Markup:
    return Markup(element("b", text(f"{shown.bits:.4g}")) + block_drawing.bar(block_of(shown.fmt)), shown.bits)


def _measure(value: float | None) -> Markup | None:
    if value is None:
        return None
    return Markup("exact" if not isfinite(value) else f"{value:.1f}", 1e9 if not isfinite(value) else value)
