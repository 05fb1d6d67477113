"""Reports in Chromium: nothing that axe calls serious, no error, no request, keyboard, print, with and without script.

It wants the package playwright (its own browsers are not needed), Chromium, and axe-core's file::

    pip install playwright && npm pack axe-core && tar xzf axe-core-*.tgz package/axe.min.js
    FOURCC_AXE=package/axe.min.js pytest tests/lanes/test_report_page.py

`FOURCC_CHROMIUM` names the browser where it is not on the path.
"""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fourcc
from fourcc.reporting.gather import ReportRequest, gather
from fourcc.reporting.page import page as page_of
from tests.reporting.made_models import HOSTILE, POLICY, hostile_model, many_tensors

pytestmark = pytest.mark.thorough
AXE = os.environ.get("FOURCC_AXE")
CHROMIUM = os.environ.get("FOURCC_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")

if not AXE:
    pytest.skip("FOURCC_AXE names no axe.min.js: `npm pack axe-core` brings one", allow_module_level=True)
if not CHROMIUM:
    pytest.skip("there is no chromium on the path, and FOURCC_CHROMIUM names none", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")

PHONE, DESKTOP = (390, 800), (1280, 900)
SECONDS = 1.0  # in which the page of a thousand tensors is there
MEGABYTES = 5.0  # that it has at most


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def pages(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports: of the shipped model beside its original, of one with hostile names, of a thousand tensors."""
    folder = tmp_path_factory.mktemp("pages")
    example = root / "fourcc" / "example"
    fourcc.convert(example / "tiny.bin", folder / "model.bin", policy=POLICY)
    fourcc.report(folder / "model.bin", folder / "two.html", against=example / "tiny.bin")
    fourcc.report(hostile_model(folder / "hostile.safetensors"), folder / "hostile.html")
    fourcc.report(many_tensors(folder / "many.bin", 1000), folder / "many.html")
    return {path.stem: path for path in folder.glob("*.html")}


def opened(browser: Any, path: Path, size: tuple[int, int] = DESKTOP, **settings: Any) -> tuple[Any, list[str]]:
    """The page, and a list that fills with its errors and requests."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **settings)
    page, told = context.new_page(), []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: None if request.is_navigation_request() else told.append(request.url))
    page.on("dialog", lambda dialog: told.append(dialog.message))
    page.goto(path.as_uri())
    return page, told


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("name", ["two", "hostile", "many"])
@pytest.mark.parametrize("opens", ["", "t1"], ids=["closed", "panel"])
def test_axe_finds_nothing_serious(
    browser: Any, pages: dict[str, Path], name: str, size: tuple[int, int], scheme: str, opens: str
) -> None:
    assert AXE
    page, told = opened(browser, pages[name], size, color_scheme=scheme)
    page.evaluate(f"location.hash = '{opens}'")
    page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    serious = [each for each in found if each["impact"] in {"serious", "critical"}]
    assert [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in serious] == []
    assert told == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    page.context.close()


def test_a_thousand_tensors_are_there_within_a_second(browser: Any, pages: dict[str, Path]) -> None:
    """Making the page from what was gathered takes as long at most. Prints what it measured."""
    size = pages["many"].stat().st_size
    assert size < MEGABYTES * 1e6
    gathered = gather(ReportRequest(pages["many"].with_suffix(".bin")))
    start = time.process_time()  # what others do on the machine does not count
    page_of(gathered)
    made = time.process_time() - start
    took = []
    for _ in range(3):
        page, _ = opened(browser, pages["many"])
        took.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000)
        page.context.close()
    print(f"1000 tensors: {size / 1e6:.2f} MB, made in {made:.2f} s, loaded in {', '.join(f'{t:.2f}' for t in took)} s")
    assert max(made, min(took)) < SECONDS


def test_keys_move_through_the_map_and_open_and_close_a_panel(browser: Any, pages: dict[str, Path]) -> None:
    page, _ = opened(browser, pages["two"])
    page.locator(".fc-grid tbody a").first.focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    title = page.evaluate("document.activeElement.title")
    assert title == "layers.1.attention.wk"
    page.keyboard.press("Enter")
    assert page.locator(".panel h3").inner_text() == title
    assert page.evaluate("document.activeElement.className").startswith("panel")
    page.keyboard.press("Escape")
    assert page.locator(".panel").count() == 0
    assert page.evaluate("document.activeElement.title") == title
    page.context.close()


def test_the_switch_changes_numbers_and_colours(browser: Any, pages: dict[str, Path]) -> None:
    page, _ = opened(browser, pages["two"])
    cell = page.locator(".fc-grid tbody td").nth(1)
    before = cell.inner_text(), cell.evaluate("each => getComputedStyle(each).backgroundColor")
    page.get_by_label("SQNR in dB").check(force=True)
    after = cell.inner_text(), cell.evaluate("each => getComputedStyle(each).backgroundColor")
    assert before[0].split()[0] == after[0].split()[0]
    assert before[0] != after[0]
    assert before[1] != after[1]
    page.context.close()


def test_tables_are_sorted_and_filtered(browser: Any, pages: dict[str, Path]) -> None:
    page, _ = opened(browser, pages["two"])
    table = page.locator("section[aria-labelledby=tensors-title] table")
    table.get_by_role("button", name="bytes").click()
    sizes = [int(each.replace(",", "")) for each in table.locator("tbody td:nth-child(5)").all_inner_texts()]
    assert sizes == sorted(sizes)
    page.locator("section[aria-labelledby=tensors-title] input").fill("attention q8_0")
    assert table.locator("tbody tr:visible").count() == 8
    page.context.close()


def test_without_a_script_panels_open_and_tables_are_there(browser: Any, pages: dict[str, Path]) -> None:
    page, _ = opened(browser, pages["two"], java_script_enabled=False)
    page.locator(".fc-grid tbody a").nth(1).click()
    assert page.locator(".panel:target").is_visible()
    assert page.locator("section[aria-labelledby=tensors-title] tbody tr").count() == 38
    page.context.close()


def test_names_from_files_act_nowhere(browser: Any, pages: dict[str, Path]) -> None:
    """No dialog opens, no element of theirs exists, and each is shown."""
    page, told = opened(browser, pages["hostile"])
    for place in range(len(HOSTILE)):
        page.evaluate(f"location.hash = 't{place}'")
        page.wait_for_selector(f"#t{place}")
    assert told == []
    assert page.evaluate("[window.struck, document.querySelectorAll('img, iframe, object, embed').length]") == [None, 0]
    page.context.close()
