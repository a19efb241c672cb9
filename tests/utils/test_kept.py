"""Whatever happens to what is kept, the answer is the same, and damage is said."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, Run, write_colour_tree
from damage import DAMAGES, IN_CACHE, KINDS

from retrain.artifacts.detect import find_artefact
from retrain.backbones import bundled
from retrain.backbones.sources.cache import FrozenStore
from retrain.errors import RetrainError
from retrain.inference.classifier import compile_classifier
from retrain.inference.compiled_cache import CompiledCache
from retrain.inference.config import Overrides
from retrain.inference.spec.resolve import describe_graph
from retrain.utils import kept
from retrain.utils.logs import console

# Arrays whose bytes are all there and right; a checkpoint without its seal's last byte is as those
# of earlier versions, which its zip's checksums prove.
HARMLESS = {
    ("vectors.npy of features", "append"),
    ("keys.npy of features", "append"),
    ("checkpoint", "append"),
    ("checkpoint", "flip_last"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_damage_changes_no_answer_and_is_said(kind: str, damage: str, tmp_path: Path) -> None:
    one = KINDS[kind]
    one.make(tmp_path)
    expected = one.use(tmp_path)
    files = [path for path in sorted(tmp_path.glob(one.files)) if path.is_file()]
    assert files
    DAMAGES[damage](files[0])
    with console() as messages:
        assert one.use(tmp_path) == expected
    if damage != "delete" and (kind, damage) not in HARMLESS:  # what is gone may never have been
        assert messages.warnings, "it was not said"
        assert all(len(line.splitlines()) == 1 for line in messages.warnings)
    with console() as again:
        assert one.use(tmp_path) == expected
    assert again.warnings == [], "it was not made anew"


def test_every_byte_of_a_small_file_counts(tmp_path: Path) -> None:
    path, said = tmp_path / "one.kept", list[str]()
    kept.write_kept(path, b"content", said.append)
    content = path.read_bytes()
    assert kept.read_kept(path, said.append) == b"content" and said == []
    for position in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[position] ^= 1 << bit
            path.write_bytes(changed)
            assert kept.read_kept(path, said.append) is None
    for length in range(len(content)):
        path.write_bytes(content[:length])
        assert kept.read_kept(path, said.append) is None
    assert len(said) == 9 * len(content)


def test_exchanged_files_are_known_by_their_names(tmp_path: Path) -> None:
    paths, said = [tmp_path / "a.kept", tmp_path / "b.kept"], list[str]()
    for path in paths:
        kept.write_kept(path, path.name.encode(), said.append)
    paths[0].replace(paths[1])
    assert kept.read_kept(paths[1], said.append) is None and len(said) == 1


@pytest.mark.parametrize("size", [0, 1, kept.BLOCK_BYTES, kept.ALONE_BYTES + 5])
def test_contents_of_any_size(size: int, tmp_path: Path) -> None:
    content, said = np.random.default_rng(0).bytes(size), list[str]()
    kept.write_kept(tmp_path / "a.kept", content, said.append)
    assert kept.read_kept(tmp_path / "a.kept", said.append) == content and said == []


def test_what_lies_in_a_files_place_stays(tmp_path: Path) -> None:
    (tmp_path / "a.kept").mkdir()
    (tmp_path / "a.kept" / "x").write_text("x")
    kept.write_kept(tmp_path / "a.kept", b"new", print)
    assert kept.read_kept(tmp_path / "a.kept", print) == b"new"
    assert (tmp_path / "a.kept.aside-1" / "x").read_text() == "x"


@pytest.fixture
def graph(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RETRAIN_CACHE_DIR", str(tmp_path / "cache"))
    return Path(shutil.copy(trained / "output_graph.pb", tmp_path / "graph.pb"))


def test_damaged_compiled_graphs_are_not_loaded(graph: Path) -> None:
    cache = CompiledCache(find_artefact(graph), Overrides(), 1)
    spec = describe_graph(graph)
    cache.keep(spec, compile_classifier(graph, spec, 1), print)
    (path,) = cache.folder.iterdir()
    content = path.read_bytes()
    for name, damage in DAMAGES.items():
        damage(path)
        said: list[str] = []
        assert cache.load(said.append) is None, name
        assert len(said) == (name != "delete"), name
        if path.is_dir():
            shutil.rmtree(path)
        path.write_bytes(content)
        assert cache.load(said.append) is not None


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", ["frozen_graph.pb", "backbone.json", "reference.npz"])
def test_a_damaged_bundled_module_is_refused(
    file: str, damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(bundled.BUNDLED_FOLDER / TINY, tmp_path / TINY)
    monkeypatch.setattr(bundled, "BUNDLED_FOLDER", tmp_path)
    bundled.check_bundled(TINY)
    DAMAGES[damage](tmp_path / TINY / "assets.extra" / file)
    with pytest.raises(RetrainError, match="install retrain again"):
        bundled.check_bundled(TINY)


def test_a_module_frozen_by_an_earlier_version_is_found_and_sealed(tmp_path: Path) -> None:
    kind = KINDS["frozen_graph.pb of a frozen module"]
    kind.make(tmp_path)
    expected = kind.use(tmp_path)
    (seals,) = tmp_path.glob("*/retrain-digests.json")
    seals.unlink()
    with console() as messages:
        assert kind.use(tmp_path) == expected and messages.warnings == []
    assert seals.is_file()


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", ["frozen_graph.pb", "reference.npz"])
def test_damage_in_one_that_has_no_seal_is_seen_all_the_same(
    file: str, damage: str, tmp_path: Path
) -> None:
    kind = KINDS["frozen_graph.pb of a frozen module"]
    kind.make(tmp_path)
    expected = kind.use(tmp_path)
    (seals,) = tmp_path.glob("*/retrain-digests.json")
    seals.unlink()
    DAMAGES[damage](seals.with_name(file))
    with console() as messages:
        assert kind.use(tmp_path) == expected
    at_the_end = damage in ("append", "flip_last")  # where a zip holds nothing
    assert len(messages.warnings) == 1 or file == "reference.npz" and at_the_end


def test_a_frozen_module_that_is_a_file_is_made_anew(tmp_path: Path) -> None:
    kind = KINDS["frozen_graph.pb of a frozen module"]
    kind.make(tmp_path)
    expected = kind.use(tmp_path)
    (folder,) = tmp_path.iterdir()
    shutil.rmtree(folder)
    folder.write_text("a file")
    assert kind.use(tmp_path) == expected


def test_handles_of_an_earlier_version_are_found(tmp_path: Path) -> None:
    store = FrozenStore(tmp_path)
    store.remember("https://x/m", "f", tmp_path)
    expected = store.recall("https://x/m")
    (record,) = (tmp_path / "handles").iterdir()
    old = record.with_suffix(".json")
    old.write_bytes(record.read_bytes()[: -kept.SEAL_BYTES])
    record.unlink()
    with console() as messages:
        assert store.recall("https://x/m") == expected and messages.warnings == []


ARGUMENTS = ("--tfhub_module", TINY, "--how_many_training_steps", 20, "--summaries_dir", "",
             "--output_graph", "graph.pb", "--no-report", "--max_leaks", 1000)  # fmt: skip
# What differs in each run are times.
SAME = ("graph.pb", "graph_labels.txt", "graph_predictions.csv", "graph_evaluation.json")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colour_tree(tmp_path_factory.mktemp("kept") / "tree", 8)


def outputs(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in SAME]


def test_a_run_on_a_cache_with_everything_damaged(tree: Path, tmp_path: Path, run: Run) -> None:
    cache, work = tmp_path / "cache", tmp_path / "work"
    photo = str(next(tree.glob("*/*.png")))

    def both() -> tuple[list[bytes], str, str]:
        done = run("retrain", "--image_dir", tree, *ARGUMENTS, RETRAIN_CACHE_DIR=str(cache))
        assert done.returncode == 0, done.stderr
        label = run("label-image", "--graph", "graph.pb", photo, RETRAIN_CACHE_DIR=str(cache))
        assert label.returncode == 0, label.stderr
        return outputs(work), label.stdout, done.stderr + label.stderr

    expected, labels, _ = both()
    kinds = {kind: sorted(cache.glob(pattern)) for kind, pattern in IN_CACHE.items()}
    files = [found[0] for found in kinds.values() if found]
    assert len(files) == 7, kinds  # the module is bundled
    for name in ("flip", "truncate", "garbage", "folder_in_its_place"):
        for file in files:
            if file.is_file():
                DAMAGES[name](file)
        found, again, said = both()
        assert (found, again) == (expected, labels), name
        assert said.count("damaged") >= 5, said
        assert "internal error" not in said


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of its own, 4 MB large."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", place], capture_output=True
    )
    if made.returncode:
        pytest.skip("no right to mount a file system here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_read_only_cache_that_holds_everything(
    tree: Path, tmp_path: Path, run: Run, small_disk: Path
) -> None:
    more = {"RETRAIN_CACHE_DIR": str(small_disk / "cache")}
    first = run("retrain", "--image_dir", tree, *ARGUMENTS, **more)
    assert first.returncode == 0, first.stderr
    expected = outputs(tmp_path / "work")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    again = run("retrain", "--image_dir", tree, *ARGUMENTS, **more)
    assert again.returncode == 0, again.stderr
    assert "0 features computed" in again.stderr and "kept" not in again.stderr
    assert outputs(tmp_path / "work") == expected
    labelled = run("label-image", "--graph", "graph.pb", tree / "red" / "000.png", **more)
    assert (labelled.returncode, labelled.stderr) == (0, "")


def test_a_read_only_cache_that_lacks_features_is_one_line(
    tree: Path, run: Run, small_disk: Path
) -> None:
    (small_disk / "cache" / "bottlenecks").mkdir(parents=True)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    done = run("retrain", "--image_dir", tree, *ARGUMENTS,
               RETRAIN_CACHE_DIR=str(small_disk / "cache"))  # fmt: skip
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("retrain: --bottleneck_dir: cannot write into ")
    assert last.endswith("choose another place")


def test_a_full_cache_disk_ends_nothing_when_the_features_are_there(
    tree: Path, tmp_path: Path, run: Run, small_disk: Path
) -> None:
    cache = small_disk / "cache"
    more = {"RETRAIN_CACHE_DIR": str(cache)}
    assert run("retrain", "--image_dir", tree, *ARGUMENTS, **more).returncode == 0
    expected = outputs(tmp_path / "work")
    for kind in ("digests", "audit", "pixels"):
        for file in cache.glob(IN_CACHE[kind]):
            file.unlink()
    _fill(small_disk)
    again = run("retrain", "--image_dir", tree, *ARGUMENTS, **more)
    assert again.returncode == 0, again.stderr
    assert outputs(tmp_path / "work") == expected
    for kind in ("digests", "audits", "pixels"):
        lines = [line for line in again.stderr.splitlines() if kind in line]
        assert lines and "the disk is full: nothing more is kept in" in lines[0], again.stderr
    labelled = run("label-image", "--graph", "graph.pb", tree / "red" / "000.png", **more)
    assert labelled.returncode == 0
    assert labelled.stderr.startswith("label-image: the disk is full: ")


def test_a_full_cache_disk_without_features_is_one_line(
    tree: Path, run: Run, small_disk: Path
) -> None:
    (small_disk / "cache").mkdir()
    _fill(small_disk)
    done = run("retrain", "--image_dir", tree, *ARGUMENTS,
               RETRAIN_CACHE_DIR=str(small_disk / "cache"))  # fmt: skip
    assert done.returncode == 1
    assert "the disk is full" in done.stderr.splitlines()[-1]
    assert "free some space" in done.stderr.splitlines()[-1]


def _fill(disk: Path) -> None:
    with open(disk / "filler", "wb", buffering=0) as file:
        for size in (1 << 16, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def test_features_above_the_memory_limit_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrain.features.matrix.IN_MEMORY_BYTES", 16)
    kind = KINDS["vectors.npy of features"]
    kind.make(tmp_path)
    expected = kind.use(tmp_path)
    for file in tmp_path.glob(kind.files):
        DAMAGES["zero_page"](file)
    with console() as messages:
        assert kind.use(tmp_path) == expected and len(messages.warnings) == 2


def test_verify_names_what_is_damaged(tmp_path: Path, run: Run) -> None:
    kind = KINDS["frozen_graph.pb of a frozen module"]
    kind.make(tmp_path)
    (facts,) = tmp_path.glob("*/backbone.json")
    whole = run("retrain", "modules", "verify", "--model_dir", tmp_path)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    facts.write_text("{")
    for command in ("list", "verify"):
        done = run("retrain", "modules", command, "--model_dir", tmp_path)
        assert "internal error" not in done.stderr
        assert (facts.parent.name in done.stdout + done.stderr) == (command == "verify")
