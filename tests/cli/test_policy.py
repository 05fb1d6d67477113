"""`fourcc policy`."""

import sys
from pathlib import Path

import attrs
import pytest

import fourcc
from fourcc.container.index import Index
from tests.cli.making import Runner, rewrite_index


def test_check_shows_the_plan(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """`policy check` shows the table of `convert --dry-run`, without its forecast; nothing is written."""
    policy = tmp_path / "mixed.toml"
    policy.write_text('version = 1\n[[rule]]\nmatch = "*"\ntag = "Q8_0"\nfallback = ["F16"]\n')
    ended = run("policy", "check", policy, tiny)
    assert ended.code == 0
    assert run("convert", tiny, "--policy", policy, "--dry-run").out.startswith(f"{ended.out}\ntime")
    assert [path.name for path in tmp_path.iterdir()] == ["mixed.toml"]
    assert run("policy", "check", policy, tiny, "--json").document["schema"] == "fourcc.plan/1"


def test_check_shows_every_problem(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """The exit code is 2."""
    policy = tmp_path / "mixed.toml"
    policy.write_text('version = 1\n[[rule]]\nmatch = "x"\ntag = "Q8_0"\n')
    ended = run("policy", "check", policy, tiny)
    assert (ended.code, ended.out) == (2, "")
    assert "rule[0]" in ended.err
    assert "matches no tensor" in ended.err


def test_check_of_a_missing_policy(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """The exit code is 4."""
    ended = run("policy", "check", tmp_path / "none.toml", tiny)
    assert (ended.code, ended.err) == (4, f"fourcc: error: {tmp_path}/none.toml: No such file or directory\n")


def test_show_prints_the_text(run: Runner, model: Path) -> None:
    """The policy is printed as it was written."""
    text = fourcc.Policy.shorthand("Q8_0,F16").text
    assert run("policy", "show", model).out == text
    document = run("policy", "show", model, "--json").document
    assert (document["schema"], document["policy"]) == ("fourcc.policy-show/1", text)


def test_show_resolved_makes_the_same_file(run: Runner, model: Path, tiny: Path, tmp_path: Path) -> None:
    """The policy that names each tensor's format gives the same bytes."""
    policy = tmp_path / "explicit.toml"
    policy.write_text(run("policy", "show", model, "--resolved").out)
    assert "layers.*.feed_forward.w2" in policy.read_text()
    run("convert", tiny, "-o", tmp_path / "again.bin", "--policy", policy)
    with fourcc.open(model) as a, fourcc.open(tmp_path / "again.bin") as b:
        for one, other in zip(a.index.tensors, b.index.tensors, strict=True):
            assert (one.name, one.tag, one.parts) == (other.name, other.tag, other.parts)


def test_show_without_a_policy(run: Runner, model: Path, tmp_path: Path) -> None:
    """The exit code is 3."""
    rewrite_without_policy(model, tmp_path / "x.bin")
    ended = run("policy", "show", tmp_path / "x.bin")
    assert ended.code == 3
    assert ended.err == f"fourcc: error: {tmp_path}/x.bin: the file holds no policy. --resolved writes one.\n"
    assert run("policy", "show", tmp_path / "x.bin", "--resolved").code == 0


def rewrite_without_policy(model: Path, path: Path) -> None:
    """A copy of the file, its policy under another name."""

    def edit(index: Index) -> Index:
        return attrs.evolve(index, blobs=tuple(blob._replace(name=f"old.{blob.name}") for blob in index.blobs))

    rewrite_index(model, path, edit)


def test_show_makes_the_text_safe_for_a_terminal(
    run: Runner, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file may hold any text; a pipe gets it as it is."""
    policy = tmp_path / "p.toml"
    policy.write_text('# \u202e hidden\nversion = 1\n[[rule]]\nmatch = "*"\ntag = "F16"\n')
    run("convert", tiny, "-o", tmp_path / "m.bin", "--policy", policy)
    assert run("policy", "show", tmp_path / "m.bin").out == policy.read_text()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run("policy", "show", tmp_path / "m.bin").out.startswith("# \\u202e hidden\n")


def test_show_of_another_file(run: Runner, tiny: Path) -> None:
    """The exit code is 3."""
    assert run("policy", "show", tiny).code == 3


def test_recipes(run: Runner) -> None:
    """A name and a line each; the text of one is a policy to start from."""
    ended = run("policy", "recipes")
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert lines[0].split() == ["recipe", "summary"]
    assert any(line.startswith("Q4_K_M ") for line in lines)
    names = [recipe["name"] for recipe in run("policy", "recipes", "--json").document["recipes"]]
    assert names == [line.split()[0] for line in lines[1:]]
    shown = run("policy", "show", "--recipe", "q8_0")
    assert shown.code == 0
    assert shown.out.startswith("# Q8_0: 8-bit blocks throughout.\nversion = 1\n")
    assert run("policy", "show", "--recipe", "Q8_0", "--json").document["policy"] == shown.out


def test_a_recipe_converts(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """The recipe gives the bytes that its text gives."""
    text = run("policy", "show", "--recipe", "Q8_0").out
    (tmp_path / "p.toml").write_text(text)
    assert run("convert", tiny, "-o", tmp_path / "a.bin", "--policy", tmp_path / "p.toml").code == 0
    ended = run("convert", tiny, "-o", tmp_path / "b.bin", "--recipe", "Q8_0")
    assert ended.code == 0
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()
    assert run("export", tiny, "-o", tmp_path / "b.gguf", "--recipe", "Q8_0", "-q").code == 0


def test_wrong_recipes(run: Runner, tiny: Path, model: Path) -> None:
    """Exit code 2, and what to do."""
    cases = [
        (["convert", tiny, "--recipe", "Q9", "--dry-run"], "there is no recipe 'Q9'"),
        (
            ["convert", tiny, "--recipe", "Q8_0", "--format", "F16", "--dry-run"],
            "--format and --recipe exclude each other",
        ),
        (["policy", "show"], "show takes either a FILE or --recipe NAME"),
        (["policy", "show", model, "--recipe", "Q8_0"], "show takes either a FILE or --recipe NAME"),
    ]
    for arguments, message in cases:
        ended = run(*arguments)
        assert ended.code == 2
        assert message in ended.err


def test_expectations_are_tested(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """One that fails is said, the exit code is 1, and nothing is converted."""
    policy, output = tmp_path / "p.toml", tmp_path / "m.bin"
    rule = '[[rule]]\nmatch = "*"\ntag = "F32"\n'
    assert run("convert", tiny, "-o", output, "--format", "F32").code == 0
    policy.write_text(f'version = 1\n[expect]\nbytes = "<= 2 MB"\nbits = "= 32"\n{rule}')
    held = run("policy", "check", policy, tiny)
    assert (held.code, "unmet" in held.out) == (0, False)
    policy.write_text(f'version = 1\n[expect]\nbytes = "<= 1.4 MB"\nbits = "< 32"\n{rule}')
    failed = run("policy", "check", policy, tiny)
    size = run("policy", "check", policy, tiny, "--json").document["total"]["file_bytes_estimate"]
    lines = [
        f"line 3: expect.bytes: found a file of {size} bytes, expected <= 1.4 MB",
        "line 4: expect.bits: found 32 bits per weight, expected < 32",
    ]
    assert failed.code == 1
    assert failed.out.splitlines()[-2:] == [f"unmet: {line}" for line in lines]
    assert run("policy", "check", policy, tiny, "--json").document["unmet"] == lines
    output.unlink()
    for more in ((), ("--dry-run",)):
        refused = run("convert", tiny, "-o", output, "--policy", policy, *more)
        assert (refused.code, refused.out, output.exists()) == (2, "", False)
        advice = "(`fourcc policy check` shows what each tensor comes to)"
        assert (
            refused.err == f"fourcc: error: {policy}: 2 problems in the policy:\n  {lines[0]}\n  {lines[1]} {advice}\n"
        )
    with pytest.raises(fourcc.FourccError, match="2 problems in the policy"):
        fourcc.convert(tiny, output, policy=policy)
