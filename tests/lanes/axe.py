"""Checks pages for faults of accessibility, with axe-core in Chromium, on a phone and on a desk, light and dark.

    FOURCC_AXE=axe.min.js python -m tests.lanes.axe FOLDER [PAGE ...]

FOLDER holds the pages, such as build/site; without PAGE, some of every kind in the site are checked. axe comes with
`npm pack axe-core`. Every finding is printed; exit code 1 where one is serious or critical.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

AXE = "FOURCC_AXE"
SITE = (
    "index.html",
    "formats/index.html",
    "q4_k.html",
    "f32.html",
    "reference/commands/convert.html",
    "reference/python/convert.html",
    "decisions/0009-kernels.html",
    "policy.html",
    "howto/index.html",
    "tutorial/index.html",
    "reference/json.html",
    "notebooks/tour.html",
)
SIZES = ("390,844", "1280,900")
SCHEMES = {"light": "1", "dark": "0"}  # of Blink's setting preferredColorScheme
WEIGHTY = {"serious", "critical"}
FOUND = re.compile(r'<pre id="axe-findings">(.*?)</pre>', re.DOTALL)
SCRIPT = """
<script src="/axe.min.js"></script>
<script>
addEventListener("load", () => setTimeout(async () => {
  const found = await axe.run(document, {resultTypes: ["violations"]});
  const told = document.createElement("pre");
  told.id = "axe-findings";
  told.textContent = JSON.stringify(found.violations.map(({id, impact, help, nodes}) =>
    ({id, impact, help, nodes: nodes.map((node) => node.target.join(" "))})));
  document.body.append(told);
}, 300));
</script>
"""


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder; each page runs axe on itself."""

    def do_GET(self) -> None:
        """A page with the script, axe itself, or any other file."""
        path = Path(self.translate_path(self.path))
        if self.path == "/axe.min.js":
            self._send(Path(os.environ[AXE]).read_bytes(), "text/javascript")
        elif path.suffix == ".html" and path.is_file():
            self._send(path.read_bytes().replace(b"</body>", SCRIPT.encode() + b"</body>"), "text/html; charset=utf-8")
        else:
            super().do_GET()

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Requests are not told."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder that is served on the loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def findings(address: str, size: str, scheme: str) -> list[dict[str, Any]]:
    """The findings of axe on a page.

    Raises:
        RuntimeError: axe did not end.
    """
    command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--window-size={size}"]
    command += [f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}", "--virtual-time-budget=20000"]
    run = subprocess.run([*command, "--dump-dom", address], capture_output=True, text=True, timeout=120, check=True)
    found = FOUND.search(run.stdout)
    if found is None:
        raise RuntimeError(f"{address}: axe gave no findings")
    told: list[dict[str, Any]] = json.loads(unescape(found[1]))
    return told


def check(folder: Path, pages: list[str]) -> int:
    """Prints the findings on all pages, and returns how many are weighty."""
    weighty = 0
    with served(folder) as address:
        for page in pages:
            for size in SIZES:
                for scheme in SCHEMES:
                    found = findings(f"{address}/{page}", size, scheme)
                    weighty += sum(each["impact"] in WEIGHTY for each in found)
                    print(f"{page} {size} {scheme}: {len(found)} findings", flush=True)
                    for each in found:
                        print(f"  {each['impact']}: {each['id']}: {each['help']}: {each['nodes'][:3]}")
    return weighty


def main() -> int:
    """Checks the pages that are named, or those of the site."""
    if AXE not in os.environ or shutil.which("chromium") is None:
        print(f"wants chromium, and {AXE}: the path of axe.min.js", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    pages = sys.argv[2:] or [page for page in SITE if (folder / page).is_file()]
    return 1 if check(folder, pages) else 0


if __name__ == "__main__":
    sys.exit(main())
