"""A labelling that was ended keeps its rows under a name that is said, and can be gone on with."""

import json
import logging
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import EXAMPLE_FLOWERS
from run_commands import PATIENCE_S, run_command, start_of

from retrain.errors import RetrainError
from retrain.inference.answers import LabelledPhoto
from retrain.inference.inputs import Input
from retrain.inference.journal import Journal, journal
from retrain.inference.writers import FORMATS, Layout, formatted, write_rows

ROWS = [
    LabelledPhoto("a.jpg", [("daisy", 0.894554123456789), ("red, rose", 0.1)]),
    LabelledPhoto("b\udcff\n.jpg", [], "the file is empty"),
    LabelledPhoto("ö.jpg", []),
    LabelledPhoto("d.jpg", [("ö", 1.0)]),
]
INPUTS = [Input(row.name) for row in ROWS]
FACTS = {"top_k": 5}


class Stop(BaseException):
    """As a signal ends the work."""


def kept(output: Path, rows: list[LabelledPhoto], resume: bool = False) -> Path:
    """The journal of a labelling that is ended after these rows."""
    with pytest.raises(Stop), journal(output, FACTS, resume=resume) as one:
        for row in rows:
            one.add(row)
        raise Stop
    return one.path


def gone_on(one: Journal) -> list[LabelledPhoto]:
    rest = [one for one in one.rest(INPUTS) if one is not None]
    for row in ROWS:
        if row.name in [each.name for each in rest]:
            one.add(row)
    return list(one.rows())


@pytest.mark.parametrize("count", range(len(ROWS) + 1))
def test_rows_are_kept_and_gone_on_with(
    count: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = kept(tmp_path / "l.csv", ROWS[:count])
    assert path.name == "l.csv.partial.jsonl"
    assert path.exists() == (count > 0)
    if count:
        assert caplog.records[-1].levelno == logging.WARNING
        assert f"are kept in {path}: the same command with --resume" in caplog.text
    with journal(tmp_path / "l.csv", FACTS, resume=True) as one:
        assert one.before == count
        assert one.problems == sum(row.problem is not None for row in ROWS[:count])
        assert gone_on(one) == ROWS
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_cut_at_the_last_whole_row(tmp_path: Path) -> None:
    path = kept(tmp_path / "l", ROWS[:3])
    whole = path.read_bytes()
    for cut in range(1, len(whole.splitlines()[-1]) + 2):
        path.write_bytes(whole[:-cut])
        with pytest.raises(Stop), journal(tmp_path / "l", FACTS, resume=True) as one:
            assert one.before == 2 and gone_on(one) == ROWS
            raise Stop


def test_two_ends_in_a_row(tmp_path: Path) -> None:
    kept(tmp_path / "l", ROWS[:1])
    kept(tmp_path / "l", ROWS[1:3], resume=True)
    with journal(tmp_path / "l", FACTS, resume=True) as one:
        assert gone_on(one) == ROWS


def test_without_resume_it_begins_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    kept(tmp_path / "l", ROWS[:2])
    with journal(tmp_path / "l", FACTS, resume=False) as one:
        assert one.before == 0 and list(one.rows()) == []
    assert "are dropped; --resume goes on after them" in caplog.text


def test_what_is_not_gone_on_with(tmp_path: Path) -> None:
    output = tmp_path / "l"
    path = kept(output, ROWS[:2])
    with pytest.raises(RetrainError, match="made with another graph or other options"):
        with journal(output, {"top_k": 3}, resume=True):
            pass
    with pytest.raises(RetrainError, match=r"its row 2 is 'b.*where now 'a\.jpg' comes"):
        with journal(output, FACTS, resume=True) as one:
            list(one.rest([INPUTS[0], None, INPUTS[0]]))
    with pytest.raises(RetrainError, match="where now no photo comes"):
        with journal(output, FACTS, resume=True) as one:
            list(one.rest(INPUTS[:1]))
    with journal(output, FACTS, resume=True):
        with pytest.raises(RetrainError, match="another process writes"):
            with journal(output, FACTS, resume=True):
                pass
        kept_text = path.read_text()
    lines = kept_text.splitlines(keepends=True)
    for damaged in ("{}\n", "no JSON\n", "\xff\n", "[1]\n"):
        path.write_text("".join([lines[0], damaged, lines[2]]), encoding="latin-1")
        with pytest.raises(RetrainError, match=r"is damaged \(line 2\)"):
            with journal(output, FACTS, resume=True):
                pass


@pytest.mark.parametrize("name", [name for name, form in FORMATS.items() if form.write])
def test_the_file_is_what_would_have_been_printed(name: str, tmp_path: Path) -> None:
    with journal(tmp_path / "l", FACTS, resume=False) as one:
        for row in ROWS:
            one.add(row)
        write_rows(one.rows(), name, Layout(True, 2, True), path=tmp_path / "rows")
    written = (tmp_path / "rows").read_bytes().decode("utf-8", "surrogateescape")
    assert written == "".join(formatted(ROWS, name, titled=True, labels=2, csv_safe=True))


PHOTOS = [str(path) for path in sorted((EXAMPLE_FLOWERS / "daisy").glob("*.jpg"))[:6]]
LISTED = "".join(f"{photo}\n" for photo in PHOTOS)
ARGUMENTS = ("--graph", "imagenet", "--top_k", "2", "--output", "l.csv", "no.jpg", "-")
SIGNALS = [name for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGKILL") if hasattr(signal, name)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, session_cache: Path) -> bytes:
    """The file of a labelling that nobody ended."""
    work = tmp_path_factory.mktemp("undisturbed")
    done = run_command("label-image", *ARGUMENTS, cwd=work, input=LISTED,
                       RETRAIN_CACHE_DIR=str(session_cache))  # fmt: skip
    assert done.returncode == 1
    return (work / "l.csv").read_bytes()


@pytest.mark.slow  # processes, for signals are the point
@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_leaves_the_rows_and_resume_ends_the_file(
    name: str, undisturbed: bytes, tmp_path: Path
) -> None:
    number = signal.Signals[name]
    process = subprocess.Popen([*start_of("label-image"), *ARGUMENTS], cwd=tmp_path, text=True,
                               stdin=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    assert process.stdin is not None
    process.stdin.write("".join(f"{photo}\n" for photo in PHOTOS[:3]))
    process.stdin.flush()  # and stays open: the list goes on
    partial = tmp_path / "l.csv.partial.jsonl"
    end = time.monotonic() + PATIENCE_S
    while not partial.exists() or partial.read_text().count("\n") < 1 + 4:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=PATIENCE_S)
    killed = name == "SIGKILL"
    assert process.returncode == (-number if killed else 128 + number)
    if not killed:
        assert f"4 rows are kept in {partial}: the same command with --resume" in said
        assert said.splitlines()[-1].startswith("label-image: ")
    assert [path.name for path in tmp_path.iterdir()] == [partial.name]  # nothing hidden
    assert json.loads(partial.read_text().splitlines()[1])["name"] == "no.jpg"

    resumed = run_command("label-image", "--resume", *ARGUMENTS, cwd=tmp_path, input=LISTED)
    assert resumed.returncode == 1 and "Going on after 4 rows" in resumed.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["l.csv"]
    assert (tmp_path / "l.csv").read_bytes() == undisturbed and undisturbed.count(b"\n") == 8
