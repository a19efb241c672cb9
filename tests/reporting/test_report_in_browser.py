"""The page in a real browser: it works by mouse and keyboard, on a phone, and without barriers."""

import gzip
import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from made_up_run import inputs_of, page_of
from run_commands import PATIENCE_S

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
AXE = Path(__file__).parent / "axe" / "axe.min.js.gz"
DARK = "--blink-settings=preferredColorScheme=0"
pytestmark = [
    pytest.mark.slow,  # a browser takes seconds to start
    pytest.mark.skipif(BROWSER is None, reason="neither chromium nor google-chrome on the PATH"),
]


def browse(path: Path, *flags: str) -> tuple[str, list[str]]:
    """Opens the page; gives its elements in the end, and the browser's complaints."""
    command = [
        str(BROWSER), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--enable-logging=stderr", "--v=0", f"--user-data-dir={path.parent / 'profile'}",
        "--window-size=1280,1600", "--virtual-time-budget=60000", "--dump-dom", *flags,
        path.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def told(folder: Path, probe: str, *flags: str, width: int = 0) -> dict[str, Any]:
    """What `probe`, which fills `told`, finds on the page; in a frame of that width, if any."""
    text = (folder / "report.html").read_text(encoding="utf-8")
    axe = gzip.decompress(AXE.read_bytes()).decode().replace("</script", "<\\/script")
    start = """<script>
    const told = {}, one = (query) => document.querySelector(query);
    const all = (query) => [...document.querySelectorAll(query)];
    const barriers = async () => (await axe.run(document)).violations.map((violation) =>
      [violation.id, ...violation.nodes.map((node) => node.html.slice(0, 200))]);
    (async () => {"""
    end = """})().catch((error) => { told.error = String(error); }).finally(() => {
      parent.document.title = JSON.stringify(told);
    });</script></body>"""
    probed = text.replace("</body>", f"<script>{axe}</script>{start}{probe}{end}")
    (folder / "probed.html").write_text(probed, encoding="utf-8")
    if width:  # no window is as narrow as a phone
        frame = f'<title></title><iframe src="probed.html" style="width: {width}px; height: 844px">'
        (folder / "frame.html").write_text(frame, encoding="utf-8")
        flags = (*flags, "--allow-file-access-from-files")
    printed, complaints = browse(folder / ("frame.html" if width else "probed.html"), *flags)
    assert complaints == []
    title = re.search(r"<title>(.*?)</title>", printed, re.DOTALL)
    assert title is not None
    found: dict[str, Any] = json.loads(html.unescape(title[1]))
    assert "error" not in found, found
    return found


USED = """
  const names = () => [...one("table.sortable").tBodies[0].rows].map((row) =>
    row.cells[0].textContent.trim());
  const recall = one("table.sortable").tHead.rows[0].cells[2];
  const press = () => {
    recall.querySelector("button").click();
    return [recall.getAttribute("aria-sort"), names()];
  };
  told.falling = press();
  told.rising = press();

  const look = one("#look"), large = one("#large");
  const behind = () => [look.open, look.querySelector("h2").textContent,
                        look.querySelectorAll("img").length];
  const opener = one(".wrong[data-cell], .wrong [data-cell]");
  told.opener = opener.dataset.cell;
  opener.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  told.cell = behind();
  look.querySelector("form button").click();
  told.closed = look.open;
  one("[data-row='1']").click();
  told.row = behind();

  const key = (name) => large.dispatchEvent(new KeyboardEvent("keydown", { key: name }));
  const seen = () => [large.open, large.querySelector("code").textContent,
                      large.querySelectorAll("img").length];
  look.querySelector(".zoom").click();  // a photo out of the open dialog
  told.above = large.open && look.open;
  large.close();
  look.close();
  const first = one("#mistakes .zoom");
  first.focus();
  told.focused = document.activeElement === first;
  first.click();
  told.first = seen();
  told.size = large.querySelector("img").getBoundingClientRect().height;
  told.barriers = await barriers();
  key("ArrowRight");
  told.second = seen();
  key("ArrowLeft");
  told.again = seen();
  key("ArrowLeft");
  told.start = seen();
  const copied = [];
  navigator.clipboard.writeText = async (text) => { copied.push(text); };
  const button = large.querySelector(".copy");
  button.click();
  await new Promise((done) => setTimeout(done, 100));
  told.button = button.textContent;
  await new Promise((done) => setTimeout(done, 2000));
  told.later = button.textContent;
  large.close();
  one("figcaption .path").click();
  one(".command .copy").click();
  told.copied = copied;
  told.barriers.push(...await barriers());
  const bad = document.body.appendChild(document.createElement("img"));
  told.heard = (await axe.run(bad)).violations.map((violation) => violation.id);
"""


def test_the_page_is_used_by_mouse_and_keyboard(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, 5, 400)
    metrics = inputs.metrics
    text = page_of(inputs, tmp_path)
    assert not re.search(r"https?:|[\"'(]//", text)
    found = told(tmp_path, USED)
    recalls = {each.label: each.recall for each in metrics.classes}
    for (sort, names), order in ((found["falling"], "descending"), (found["rising"], "ascending")):
        expected = sorted(recalls.values(), reverse=order == "descending")
        assert (sort, [recalls[name] for name in names]) == (order, expected)
    truth, answer = map(int, found["opener"].split("-"))
    taken = f"class {truth}, taken for class {answer}"
    assert found["cell"] == [True, taken, metrics.confusion[truth, answer]]
    assert found["closed"] is False
    assert found["row"] == [True, "class 1", metrics.classes[1].support]
    assert found["above"] and found["focused"]
    is_open, path, pictures = found["first"]
    assert is_open and path.startswith(f"{tmp_path}/") and pictures in (1, 2)
    assert found["size"] > 300
    assert found["second"][1] != path and found["again"] == found["start"] == found["first"]
    assert (found["button"], found["later"]) == ("Copied", "Copy path")
    assert found["copied"][0] == path and found["copied"][1].startswith(f"{tmp_path}/")
    assert found["copied"][2] == inputs.verdict.steps[0].command
    assert found["barriers"] == [] and found["heard"] == ["image-alt"]


PHONE = """
  told.width = [document.documentElement.scrollWidth, innerWidth];
  document.documentElement.style.scrollBehavior = "auto";
  one("#run").scrollIntoView();
  const bar = one("nav").getBoundingClientRect();
  told.bar = [Math.round(bar.top), one("#run h2").getBoundingClientRect().top >= bar.bottom];
  told.cut = all("th[scope], .verdict dd, figcaption span").filter((element) =>
    getComputedStyle(element).display !== "none" && element.scrollWidth > element.clientWidth + 1
  ).map((element) => element.outerHTML.slice(0, 200));
  const field = one(".find input");
  const rows = () => all("table.sortable tbody tr").filter((row) => !row.hidden).length;
  told.rows = [field && rows()];
  if (field) {
    field.value = "TOWN 007";
    field.dispatchEvent(new Event("input"));
    told.rows.push(rows());
  }
  told.barriers = await barriers();
"""


@pytest.mark.parametrize(("classes", "flags"), [(16, ()), (60, (DARK,))])
def test_long_names_fit_a_phone_and_nothing_is_in_the_way(
    classes: int, flags: tuple[str, ...], tmp_path: Path
) -> None:
    place = "photographed from above in the greenhouse of the old town"
    labels = [f"{place} {number:03}" for number in range(classes)]
    page_of(inputs_of(tmp_path, classes, labels=labels), tmp_path)
    found = told(tmp_path, PHONE, *flags, width=390)
    assert found["width"] == [390, 390]
    assert found["bar"] == [0, True]  # the navigation stays in view, and covers no heading
    assert found["cut"] == []
    assert found["rows"] == ([None] if classes == 16 else [60, 1])
    assert found["barriers"] == []


def test_the_browsers_complaints_are_heard(tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("<script>missing()</script>", encoding="utf-8")
    _, console = browse(tmp_path / "bad.html")
    assert len(console) == 1 and "missing is not defined" in console[0]
