"""`label-image` for scripts: many photos of any kind, as rows that programs read."""

import csv
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS, Run
from PIL import Image
from run_commands import PATIENCE_S

pytestmark = pytest.mark.slow

MANY, BROKEN = 400, 20
COMMAND = [sys.executable, "-c", "import retrain.cli.label_image as m; m.main()"]
PEAK = """
import resource, sys
import retrain.cli.label_image as m
try:
    m.main()
finally:
    print("PEAK", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""
NOT_A_PICTURE = "not a JPEG, PNG, WebP, BMP, GIF or TIFF picture"
FLOWERS = {"daisy", "dandelion", "roses", "sunflowers", "tulips"}


def write_many(root: Path, photos: int, broken: int) -> Path:
    """Tiny pictures, among them broken ones at equal distances."""
    rng = np.random.default_rng(0)
    root.mkdir()
    for number in range(photos):
        path = root / f"{number:04}.png"
        if number % (photos // broken) == 3:
            path.write_bytes(b"broken")
        else:
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    return root


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_many(tmp_path_factory.mktemp("photos") / "many", MANY, BROKEN)


@pytest.fixture
def graph(trained: Path) -> tuple[str, str]:
    return "--graph", str(trained / "output_graph.pb")


def daisies(count: int) -> list[str]:
    return [str(path) for path in sorted((EXAMPLE_FLOWERS / "daisy").iterdir())[:count]]


def labelled(form: str, text: str) -> list[tuple[str, list[tuple[str, float]], str | None]]:
    """(path, labels with scores, error) of each row."""
    if form in ("csv", "tsv"):
        rows = csv.reader(text.splitlines(keepends=True), delimiter={"csv": ",", "tsv": "\t"}[form])
        header = next(rows)
        assert header[:4] == ["path", "label", "score", "error"]
        assert header[4:] == [f"{n}_{k}" for k in range(2, len(header) // 2) for n in header[1:3]]
        found = []
        for path, label, score, error, *more in rows:
            cells = [label, score, *more]
            assert len(cells) == len(header) - 2
            pairs = [(a, float(b)) for a, b in zip(cells[::2], cells[1::2], strict=True) if a]
            found.append((path, pairs, error or None))
        return found
    facts = json.loads(text) if form == "json" else [json.loads(t) for t in text.splitlines()]
    for row in facts:
        assert list(row) == ["path", "labels", "error"]
    return [
        (row["path"], [(one["label"], one["score"]) for one in row["labels"]], row["error"])
        for row in facts
    ]


@pytest.mark.parametrize("form", ["csv", "tsv", "json", "jsonl"])
def test_a_folder_gives_a_row_for_each_file(
    form: str, many: Path, graph: tuple[str, str], run: Run
) -> None:
    done = run("label-image", *graph, "--format", form, "--top_k", 3, many)
    assert done.returncode == 1
    assert done.stderr.endswith(
        f"label-image: {BROKEN} of {MANY} photos could not be labelled: "
        "the field 'error' says why\n"
    )
    rows = labelled(form, done.stdout)
    assert [path for path, _, _ in rows] == [str(path) for path in sorted(many.iterdir())]
    for number, (_, labels, error) in enumerate(rows):
        if number % (MANY // BROKEN) == 3:
            assert (labels, error) == ([], NOT_A_PICTURE)
        else:
            assert error is None and len(labels) == 3 and {label for label, _ in labels} <= FLOWERS
            assert 1 >= labels[0][1] >= labels[1][1] >= labels[2][1] >= 0


def test_memory_does_not_grow_with_the_photos(graph: tuple[str, str], tmp_path: Path) -> None:
    few, many = (write_many(tmp_path / f"{n}", n, BROKEN) for n in (100, 1000))

    def peak_mb(folder: Path) -> float:
        command = [sys.executable, "-c", PEAK, *graph, "--format", "csv", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 1
        return int(done.stderr.rsplit("PEAK ", 1)[1]) / 1024

    peak_mb(few)  # the first one compiles the graph
    assert peak_mb(many) - peak_mb(few) < 20  # their pixels alone would be 44


def test_files_that_all_fail_come_as_rows_too(
    graph: tuple[str, str], tmp_path: Path, run: Run
) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    for number in range(1500):  # more than are held back
        (folder / f"{number:04}.jpg").touch()
    photo = daisies(1)[0]
    done = run("label-image", *graph, "--format", "jsonl", folder, photo, folder)
    rows = labelled("jsonl", done.stdout)
    names = [str(path) for path in sorted(folder.iterdir())]
    assert [path for path, _, _ in rows] == [*names, photo, *names]
    assert [error for _, _, error in rows] == [*["the file is empty"] * 1500, None,
                                              *["the file is empty"] * 1500]  # fmt: skip


def test_text_titles_all_but_a_lone_photo(graph: tuple[str, str], run: Run, tmp_path: Path) -> None:
    photo = daisies(1)[0]
    (tmp_path / "one").mkdir()
    inside = tmp_path / "one" / "a.jpg"
    inside.write_bytes(Path(photo).read_bytes())
    alone = run("label-image", *graph, photo).stdout
    assert run("label-image", *graph, inside).stdout == alone
    assert run("label-image", *graph, tmp_path / "one").stdout == f"{inside}:\n{alone}"
    assert run("label-image", *graph, tmp_path / "one" / "*.jpg").stdout == f"{inside}:\n{alone}"
    assert run("label-image", *graph, photo, photo).stdout == "\n".join(2 * [f"{photo}:\n{alone}"])


@pytest.fixture
def odd(tmp_path: Path) -> list[bytes]:
    """The paths of photos with odd names."""
    names = [b"a\nb", b"a\rb", b"a\tb", b'"q",', b"\xff\xfe", "ö ☃".encode(), b"-"]
    folder = os.fsencode(tmp_path / "odd")
    os.mkdir(folder)
    for name in names:
        os.symlink(daisies(1)[0], os.path.join(folder, name + b".jpg"))
    return sorted(os.path.join(folder, name + b".jpg") for name in names)


@pytest.mark.parametrize("form", ["csv", "tsv", "json", "jsonl"])
def test_odd_names_come_back_as_they_are(
    form: str, odd: list[bytes], graph: tuple[str, str]
) -> None:
    done = subprocess.run([*COMMAND, *graph, "--format", form, os.path.dirname(odd[0])],
                          capture_output=True, timeout=PATIENCE_S)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    rows = labelled(form, done.stdout.decode("utf-8", "surrogateescape"))
    assert sorted(os.fsencode(path) for path, _, _ in rows) == odd


def test_odd_names_are_shown_as_text(odd: list[bytes], graph: tuple[str, str]) -> None:
    done = subprocess.run([*COMMAND, *graph, *odd], capture_output=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\udcff\udcfe.jpg:" in done.stdout


@pytest.mark.parametrize("end", [b"", b"\0"])
def test_a_list_may_be_separated_by_nuls(
    end: bytes, odd: list[bytes], graph: tuple[str, str]
) -> None:
    done = subprocess.run([*COMMAND, *graph, "--format", "csv", "-"], input=b"\0".join(odd) + end,
                          capture_output=True, timeout=PATIENCE_S)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    rows = labelled("csv", done.stdout.decode("utf-8", "surrogateescape"))
    assert [os.fsencode(path) for path, _, _ in rows] == odd


def test_rows_come_while_the_list_is_still_written(graph: tuple[str, str], tmp_path: Path) -> None:
    process = subprocess.Popen([*COMMAND, *graph, "--format", "jsonl", "-"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True, cwd=tmp_path)  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    one, two, three = daisies(3)
    for written, path in [
        (f"{one}\n", one), (f"{two}\n{three[:9]}", two), (f"{three[9:]}\n", three),
        ("no *.jpg\r\n\n", "no *.jpg"), (str(tmp_path), None),
    ]:  # fmt: skip
        process.stdin.write(written)
        process.stdin.flush()
        if path is not None:
            assert json.loads(process.stdout.readline())["path"] == path
    process.stdin.close()
    last = json.loads(process.stdout.readline())  # a line need not end
    assert last["path"] == str(tmp_path) and last["error"].startswith("is a folder: ")
    assert process.stdout.read() == ""
    assert process.wait(PATIENCE_S) == 1
    process.stdout.close()


def test_an_empty_list_is_no_fault(graph: tuple[str, str], run: Run) -> None:
    done = subprocess.run([*COMMAND, *graph, "--format", "json", "-"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=PATIENCE_S)  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "[\n]\n", "")
    closed = subprocess.run(["bash", "-c", '"$@" <&-', "bash", *COMMAND, *graph, "-"],
                            capture_output=True, text=True, timeout=PATIENCE_S)  # fmt: skip
    assert closed.returncode == 1
    assert closed.stderr.startswith("label-image: cannot read the list on standard input: ")
    assert closed.stderr.count("\n") == 1


@pytest.mark.parametrize("form", ["text", "json", "jsonl", "csv", "tsv"])
def test_a_closed_pipe_ends_it_quietly_amid_its_work(
    form: str, many: Path, graph: tuple[str, str]
) -> None:
    script = '"$@" | head -n 3; echo "${PIPESTATUS[@]}"'
    command = [*COMMAND, *graph, "--format", form, str(many)]
    done = subprocess.run(["bash", "-c", script, "bash", *command], capture_output=True, text=True,
                          timeout=PATIENCE_S)  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == 4 and lines[3] == "1 0"
    # Photos whose reason was said before the pipe was closed: nothing is said of the pipe.
    assert all("not a JPEG" in line for line in done.stderr.splitlines())


def test_missing_things_have_rows(graph: tuple[str, str], run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    photo = daisies(1)[0]
    done = run("label-image", *graph, "--format", "csv", tmp_path / "empty", "no.jpg", "no*.jpg",
               photo, "--image", "../nowhere/x.jpg")  # fmt: skip
    assert done.returncode == 1
    rows = labelled("csv", done.stdout)
    assert [(path, error) for path, _, error in rows] == [
        (str(tmp_path / "empty"), "holds no photo"),
        ("no.jpg", "cannot be read: No such file or directory"),
        ("no*.jpg", "no file matches this pattern"),
        (photo, None),
        ("../nowhere/x.jpg", "cannot be read: No such file or directory"),
    ]
    assert [bool(labels) for _, labels, _ in rows] == [False, False, False, True, False]


def test_labels_below_the_threshold_are_left_out(graph: tuple[str, str], run: Run) -> None:
    photos = daisies(30)
    every = labelled("jsonl", run("label-image", *graph, "--format", "jsonl", *photos).stdout)
    limit = sorted(labels[0][1] for _, labels, _ in every)[15]
    for form in ("jsonl", "csv"):
        done = run("label-image", *graph, "--format", form, "--threshold", limit - 1e-5, *photos)
        assert (done.returncode, done.stderr) == (0, "")
        assert labelled(form, done.stdout) == [
            (path, [one for one in labels if one[1] > limit - 1e-5], None)
            for path, labels, _ in every
        ]
    assert "\n\n" in run("label-image", *graph, "--threshold", 1, *photos[:2]).stdout


def test_photos_are_sorted_into_folders(graph: tuple[str, str], run: Run, tmp_path: Path) -> None:
    """Into a folder inside the labelled one, twice; a threshold sends photos to `unknown`."""
    root = tmp_path / "flowers"
    root.mkdir()
    for photo in daisies(20):
        (root / Path(photo).name).write_bytes(Path(photo).read_bytes())
    (root / "bad.jpg").write_bytes(b"broken")
    before = {path: path.read_bytes() for path in root.iterdir()}
    options = (
        *graph,
        "--format",
        "jsonl",
        "--threshold",
        0.9,
        root,
        "--sort_into",
        root / "sorted",
    )
    for _ in range(2):
        done = run("label-image", *options)
        assert done.returncode == 1
        rows = labelled("jsonl", done.stdout)
        assert [path for path, _, _ in rows] == [str(path) for path in sorted(before)]
        wanted = {
            f"{labels[0][0] if labels else 'unknown'}/{Path(path).name}"
            for path, labels, error in rows
            if error is None
        }
        assert any(name.startswith("unknown/") for name in wanted)
        found = {path for path in (root / "sorted").rglob("*") if not path.is_dir()}
        assert {str(path.relative_to(root / "sorted")) for path in found} == wanted
        assert all(path.read_bytes() == before[root / path.name] for path in found)
    assert {path: path.read_bytes() for path in before} == before
    done = run("label-image", *options[:-1], "links", "--sort_by", "link", "--top_k", 1)
    links = {path for path in (tmp_path / "work/links").rglob("*") if not path.is_dir()}
    assert {str(path.relative_to(tmp_path / "work/links")) for path in links} >= wanted
    assert all(os.readlink(path).startswith(str(root)) for path in links)


def test_the_output_is_there_when_it_is_whole(
    many: Path, graph: tuple[str, str], run: Run, tmp_path: Path
) -> None:
    done = run("label-image", *graph, "--format", "csv", "--output", "new/rows.csv", many)
    assert (done.returncode, done.stdout) == (1, "")
    work = tmp_path / "work"
    assert os.listdir(work / "new") == ["rows.csv"]
    (work / "new/rows.csv").rename(work / "rows.csv")
    printed = run("label-image", *graph, "--format", "csv", many).stdout
    assert (work / "rows.csv").read_text() == printed

    process = subprocess.Popen(
        [*COMMAND, *graph, "--output", "rows.csv", "-"], cwd=work,
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    rows = work / "rows.csv.partial.jsonl"
    while not (rows.exists() and rows.stat().st_size):  # its first line, which is no row
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=PATIENCE_S)[1].strip() == "label-image: interrupted"
    assert process.returncode == 130
    assert sorted(os.listdir(work)) == ["new", "rows.csv"]
    assert (work / "rows.csv").read_text() == printed


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--output", "{photos}/a.jpg"), 2, "a.jpg: a list of labels is written there"),
        (("--output", "/dev/null"), 2, "/dev/null is no ordinary file"),
        (("--output", "{photos}"), 1, "is a folder: give the name of a file"),
        (("--output", "{photos}/a.jpg/rows.csv"), 1, "--output: cannot write into"),
        (("--sort_into", "{photos}/a.jpg"), 1, "--sort_into: cannot write into"),
        (("--sort_into", "{photos}/"), 2, "is itself to be labelled"),
        (("--threshold", "2"), 2, "--threshold"),
        (("--format", "xml"), 2, "--format"),
        (("--sort_by", "name"), 2, "--sort_by"),
        (("--graph", "nowhere.pb", "--format", "csv"), 1, "nowhere.pb: No such file"),
    ],
)
def test_what_cannot_be_is_said_before_the_work(
    options: tuple[str, ...], code: int, said: str, graph: tuple[str, str], run: Run, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(Path(daisies(1)[0]).read_bytes())
    given = [option.format(photos=photos) for option in options]
    done = run("label-image", *graph, photos, *given)
    assert done.returncode == code
    assert done.stderr.startswith("label-image: ") and said in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert os.listdir(photos) == ["a.jpg"] and os.listdir(tmp_path / "work") == []


def read_all(control: int) -> Iterator[bytes]:
    while True:
        try:
            block = os.read(control, 65536)
        except OSError:  # the other end is closed
            return
        if not block:
            return
        yield block


def test_a_bar_on_the_terminal_leaves_the_results_alone(
    many: Path, graph: tuple[str, str], tmp_path: Path
) -> None:
    """A bar takes what is written to sys.stdout to the terminal."""
    control, terminal = pty.openpty()
    environment = {**os.environ, "COLUMNS": "120", "TERM": "xterm"}
    with (tmp_path / "rows.json").open("w") as rows:
        process = subprocess.Popen([*COMMAND, *graph, "--format", "json", str(many)],
                                   stdout=rows, stderr=terminal, env=environment)  # fmt: skip
    os.close(terminal)
    shown = b"".join(read_all(control)).decode()
    os.close(control)
    assert process.wait(PATIENCE_S) == 1
    assert len(labelled("json", (tmp_path / "rows.json").read_text())) == MANY
    assert f"{MANY}/{MANY}" in shown and f"{BROKEN} set aside" in shown


def test_rows_on_the_terminal_are_not_broken_up_by_a_bar(
    graph: tuple[str, str], tmp_path: Path
) -> None:
    control, terminal = pty.openpty()
    process = subprocess.Popen([*COMMAND, *graph, "--top_k", "1", *daisies(2), "no.jpg"],
                               stdout=terminal, stderr=terminal, cwd=tmp_path)  # fmt: skip
    os.close(terminal)
    shown = b"".join(read_all(control)).decode().replace("\r\n", "\n")
    os.close(control)
    assert process.wait(PATIENCE_S) == 1
    one, two = daisies(2)
    lines = shown.splitlines()
    assert [lines[number] for number in (0, 2, 3, 5, 6)] == [
        f"{one}:",
        "",
        f"{two}:",
        "",
        "no.jpg:",
    ]
    assert all("(score=" in lines[number] for number in (1, 4))
    assert lines[7:] == ["label-image: no.jpg: cannot be read: No such file or directory"]
