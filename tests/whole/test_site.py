"""The pages in docs/: the site builds, its commands run, its messages and options exist."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import EXAMPLE_FLOWERS, REPO, Run
from test_docs import HUB_FLAGS, LABEL_FLAGS, OLDER_FLAGS, PATIENCE_S, names

from retrain.cli.evaluate import command as evaluate
from retrain.cli.export import command as export
from retrain.cli.label_image import label_image
from retrain.cli.train import retrain

pytestmark = pytest.mark.slow

DOCS = REPO / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
WITH_COMMANDS = [page for page in PAGES if "```sh\n" in page.read_text(encoding="utf-8")]
PHOTO = "daisy/10437770546_8bb6f7bdd3_m.jpg"  # which the pages name
PHOTOS = 9  # of each class


def named(page: Path) -> str:
    return page.stem


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=REPO, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pages = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("index.html")}
    assert pages >= {f"{p.relative_to(DOCS).with_suffix('')}/index.html" for p in PAGES
                     if p.stem != "index"}  # fmt: skip
    reference = (tmp_path / "reference/index.html").read_text(encoding="utf-8")
    assert 'id="retrain.train"' in reference and "UsageFault" in reference


@pytest.fixture(scope="module")
def pages_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all pages, with a part of the example photos as `flowers`."""
    folder = tmp_path_factory.mktemp("pages")
    for source in sorted(path for path in EXAMPLE_FLOWERS.iterdir() if path.is_dir()):
        (folder / "flowers" / source.name).mkdir(parents=True)
        for photo in sorted(source.glob("*.jpg"))[:PHOTOS]:
            shutil.copy2(photo, folder / "flowers" / source.name)
    shutil.copy2(EXAMPLE_FLOWERS / PHOTO, folder / "flowers" / PHOTO)
    return folder


@pytest.fixture(scope="module")
def seen() -> set[str]:
    """Commands that an earlier page ran: what they write is there, and they are not run again."""
    return set()


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=named)
def test_the_commands_of_a_page_run(
    page: Path, run: Run, pages_folder: Path, seen: set[str]
) -> None:
    for line in "".join(blocks(page, "sh")).splitlines():
        if line in seen:
            continue
        seen.add(line)
        command, *words = shlex.split(line)
        given = [str(path) for word in words for path in expanded(word, pages_folder)]
        done = run(command, *given, cwd=pages_folder)
        assert done.returncode == 0, f"{line}: {done.stderr}"


def expanded(word: str, folder: Path) -> list[object]:
    """What a shell makes of a word: the files that a pattern means, by their names here."""
    found = sorted(folder.glob(word)) if "*" in word else []
    return [path.relative_to(folder) for path in found] or [word]


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=named)
def test_the_programs_of_a_page_run(page: Path, pages_folder: Path) -> None:
    for program in blocks(page, "python"):
        done = subprocess.run([sys.executable, "-c", program], cwd=pages_folder, text=True,
                              capture_output=True, timeout=PATIENCE_S)  # fmt: skip
        assert done.returncode == 0 and done.stdout, done.stderr


def test_troubleshooting_names_messages_that_exist() -> None:
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    messages = re.findall(r"^### `(.+)`$", page, re.M)
    code = [path.read_text(encoding="utf-8") for path in sorted((REPO / "retrain").rglob("*.py"))]
    whole = re.sub(r'"\s*\n\s*f?"', "", "\n".join(code))  # texts that go on on the next line
    assert len(messages) > 15
    assert [one for one in messages if one not in whole] == []


def test_every_old_option_has_its_line() -> None:
    page = (DOCS / "from-retrain-py.md").read_text(encoding="utf-8")
    for name in f"{HUB_FLAGS} {OLDER_FLAGS} {LABEL_FLAGS}".split():
        assert re.search(rf"^\| .*`--{name}`", page, re.M), name


def test_options_that_pages_name_exist() -> None:
    known = {
        one.replace("-", "_")
        for one in names(retrain) | names(label_image) | names(evaluate) | names(export)
    }
    theirs = set(re.findall(r"^\| (.*?) \|", (DOCS / "from-retrain-py.md").read_text(), re.M))
    old = {name for cell in theirs for name in re.findall(r"--([\w-]+)", cell)}
    for page in PAGES:
        if page.parent == DOCS / "tutorials" or page.stem in ("troubleshooting", "from-retrain-py"):
            for name in re.findall(r"--([a-z][\w-]+)", page.read_text(encoding="utf-8")):
                if name not in old:
                    assert f"__{name.replace('-', '_')}" in known, f"{page}: --{name}"
