"""Names of models elsewhere, as paths."""

from pathlib import Path

import pytest

from fourcc.errors import SourceError
from fourcc.hub.names import FileAddress, HubName, checked_path, read_name

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAMED = [
    ("org/name", HubName("org/name", explicit=False)),
    ("org/name@v1.0", HubName("org/name", revision="v1.0", explicit=False)),
    ("org/name/model.gguf", HubName("org/name", "model.gguf", explicit=False)),
    ("org/name/sub/model.gguf@main", HubName("org/name", "sub/model.gguf", "main", explicit=False)),
    ("hf://org/name", HubName("org/name")),
    ("hf://models/org/name", HubName("org/name")),
    (f"hf://org/name@{COMMIT}", HubName("org/name", revision=COMMIT)),
    ("hf://org/name@main/sub/model.gguf", HubName("org/name", "sub/model.gguf", "main")),
    ("hf://org/name/model.gguf@main", HubName("org/name", "model.gguf", "main")),
    ("hf://org/name@refs/pr/3", HubName("org/name", revision="refs/pr/3")),
    ("hf://org/name@refs/pr/3/model.gguf", HubName("org/name", "model.gguf", "refs/pr/3")),
    ("hf://org/name@a%2Fb", HubName("org/name", revision="a/b")),
    ("hf://org/name/", HubName("org/name")),
    ("https://huggingface.co/org/name", HubName("org/name")),
    ("https://huggingface.co/org/name/tree/main", HubName("org/name", revision="main")),
    ("https://huggingface.co/org/name/tree/main/sub", HubName("org/name", "sub", "main")),
    ("https://huggingface.co/org/name/blob/main/a/b.gguf", HubName("org/name", "a/b.gguf", "main")),
    ("https://huggingface.co/org/name/resolve/main/b.gguf?download=true", HubName("org/name", "b.gguf", "main")),
    ("https://hf.co/org/name/tree/refs/pr/7", HubName("org/name", revision="refs/pr/7")),
    ("https://host.example/a/b.gguf?key=1", FileAddress("https://host.example/a/b.gguf?key=1")),
    ("HTTPS://host.example/b.gguf", FileAddress("https://host.example/b.gguf")),
]
PATHS = [
    "model.bin",
    "/srv/org/name",
    "../org/name",
    "org",
    "weights/model.gguf",
    "weights/model.bin",
    "a/../b",
    "org/na me",
    "~/models/x",
    "org/name/../../x",
    "C:x",
]


@pytest.mark.parametrize(("text", "name"), NAMED)
def test_a_name(text: str, name: object) -> None:
    """Read from a text, and from a path, which has lost a slash; what it is called names the same."""
    assert read_name(text) == name
    if "?" not in text:
        assert read_name(Path(text)) == name
    if isinstance(name, HubName) and "%" not in text:
        assert read_name(str(name)) == HubName(name.repo, name.inside, name.revision)


@pytest.mark.parametrize("text", PATHS)
def test_a_path(text: str) -> None:
    """Nothing that can only be a path is looked for elsewhere."""
    assert read_name(text) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s3://bucket/m", "s3://bucket/m: no such address can be read. hf:// and https:// addresses can be read"),
        ("hf://org", "hf://org: no name of a model on a hub, expected hf://OWNER/NAME"),
        ("hf://datasets/org/name", "hf://datasets/org/name: no name of a model on a hub, expected hf://OWNER/NAME"),
        ("hf://org/name/../../x", "org/name/../../x: a file's name leads out of its folder, or is none: found '..'"),
        ("https://user:secret@host/x.gguf", "https://host: the address holds a password. Leave it out."),
        ("https://huggingface.co/org", "https://huggingface.co/org: no page of a model. Name the model"),
        ("https://huggingface.co/org/name/settings", "no page of a model"),
        ("https://host.example/", "https://host.example/: the address names no file"),
    ],
)
def test_no_name(text: str, message: str) -> None:
    """The message names what was given, and no password."""
    with pytest.raises(SourceError) as caught:
        read_name(text)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["..", "a/../b", "/etc/x", "a//b", "a\\b", "c:x", ".git/x", "a\0b", 'a"b', "a\nb", "."]
)
def test_names_that_lead_elsewhere(name: str) -> None:
    """No file gets such a name."""
    with pytest.raises(SourceError, match="a file's name leads out of its folder, or is none"):
        checked_path(name, "hf://org/name")


def test_the_address_of_a_file_is_shown_without_its_secret() -> None:
    """The part after the question mark may be a key."""
    name = FileAddress("https://host.example:8443/a%20b/m.gguf?key=secret")
    assert (str(name), name.name) == ("https://host.example:8443/a%20b/m.gguf", "m.gguf")
