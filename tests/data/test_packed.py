"""Photos in an archive, here or behind a URL: unpacked once, into the cache, and only there."""

import io
import os
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import EXAMPLE_FLOWERS, TINY, write_colour_tree
from damage import folder_in_its_place
from hub_server import HubServer
from run_commands import run_command

from retrain.config import TrainConfig
from retrain.data import packed
from retrain.data.folder import Index, read_tree
from retrain.data.packed import SUFFIXES, unpacked
from retrain.errors import RetrainError, UsageFault

FILES = {"daisy/a.jpg": b"1", "daisy/b/c.jpg": b"22", "roses/a.jpg": b"333"}
SECRET = "hunter2pass"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RETRAIN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache" / "photos"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer().running() as running:
        yield running


def archive(name: str, top: str = "", files: dict[str, bytes] = FILES) -> bytes:
    """An archive of the kind that its name says, with these files below the folder `top`."""
    packed = io.BytesIO()
    named = {f"{top}{path}": content for path, content in files.items()}
    if name.endswith(".zip"):
        with zipfile.ZipFile(packed, "w") as whole:
            for path, content in named.items():
                whole.writestr(path, content)
        return packed.getvalue()
    mode = {"gz": "gz", "tgz": "gz", "bz2": "bz2", "tbz2": "bz2", "xz": "xz", "txz": "xz"}
    with tarfile.open(fileobj=packed, mode=f"w:{mode.get(name.rpartition('.')[2], '')}") as tar:
        for path, content in named.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def paths(index: Index) -> list[str]:
    return [photo.path for photo in index.photos]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("top", ["", "flower_photos/", "a/b/"])
def test_an_archive_is_a_folder(suffix: str, top: str, tmp_path: Path, cache: Path) -> None:
    content = archive(suffix, top, {**FILES, "LICENSE.txt": b"free"})
    (tmp_path / f"Flowers{suffix}").write_bytes(content)
    index = read_tree(f"Flowers{suffix}")
    assert index.classes == ("daisy", "roses") and paths(index) == list(FILES)
    assert cache in index.root.parents and index.root.name == (
        top.strip("/").rpartition("/")[2] or "Flowers"
    )
    assert sorted(os.listdir(tmp_path)) == [f"Flowers{suffix}", "cache"]


def test_what_systems_pack_beside_the_photos_is_no_class(tmp_path: Path) -> None:
    files = {f"flowers/{path}": content for path, content in FILES.items()}
    more = {**files, "__MACOSX/flowers/daisy/._a.jpg": b"x", ".hidden/a": b""}
    (tmp_path / "a.zip").write_bytes(archive(".zip", "", more))
    assert read_tree("a.zip").classes == ("daisy", "roses")


def test_it_is_unpacked_once_whatever_its_name(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.zip").write_bytes(archive(".zip"))
    first = unpacked("a.zip")
    monkeypatch.setattr("retrain.utils.archive.unpack", None)  # not to be called again
    assert unpacked("a.zip") == first == unpacked(str(tmp_path / "a.zip"))
    shutil.copy("a.zip", "sub.zip")
    shutil.move("sub.zip", tmp_path / "cache" / "a.zip")
    assert unpacked("cache/a.zip") == first


@pytest.mark.parametrize("harm", ["lost", "cut", "more", "other", "folder", "facts"])
def test_what_was_changed_in_the_cache_is_unpacked_anew(
    harm: str, tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.tgz").write_bytes(archive(".tgz"))
    folder = Path(unpacked("a.tgz"))
    if harm == "lost":
        (folder / "roses/a.jpg").unlink()
    elif harm == "cut":
        (folder / "roses/a.jpg").write_bytes(b"")
    elif harm == "more":
        (folder / "roses/b.jpg").write_bytes(b"4")
    elif harm == "other":  # of the same size
        (folder / "roses/a.jpg").write_bytes(b"334")
    elif harm == "folder":
        folder_in_its_place(folder / "roses/a.jpg")
    else:
        (facts,) = cache.glob("*.kept")
        facts.write_bytes(facts.read_bytes()[:-1])
    assert Path(unpacked("a.tgz")) == folder
    assert caplog.text.count("is damaged") == 1
    found = {path.relative_to(folder).as_posix(): path.read_bytes()
             for path in folder.rglob("*") if path.is_file()}  # fmt: skip
    assert found == FILES


def test_a_cache_that_was_copied_is_believed_by_its_bytes(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.zip").write_bytes(archive(".zip"))
    folder = Path(unpacked("a.zip"))
    shutil.copytree(cache, tmp_path / "copy")  # with new times
    shutil.rmtree(cache)
    shutil.move(tmp_path / "copy", cache)
    monkeypatch.setattr("retrain.utils.archive.unpack", None)  # not to be called again
    assert Path(unpacked("a.zip")) == folder
    monkeypatch.setattr(packed, "_contents", None)  # nor is anything read a second time
    assert Path(unpacked("a.zip")) == folder and "damaged" not in caplog.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (archive(".zip", "../"), "lies outside of its folder"),
        (archive(".tar", "/tmp/"), "lies outside of its folder"),
        (b"no archive at all", "a .zip or .tar.gz of one folder of photos for each class is want"),
        (archive(".tgz")[:-9], "damaged or cut off"),
        (archive(".zip")[:-30], "damaged or cut off"),
        (archive(".zip", "", {f"a/{n}.jpg": b"" for n in range(9)}), "holds more than 8 files"),
        (archive(".zip", "", {"a/1.jpg": bytes(101)}), "to more than 0 MB"),
    ],
)
def test_what_is_no_sound_archive_is_refused_whole(
    content: bytes, said: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "MOST_FILES", 8)
    monkeypatch.setattr(packed, "MOST_UNPACKED", 100)
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(RetrainError, match="a.zip is no") as fault:
        unpacked("a.zip")
    assert said in str(fault.value) and "\n" not in str(fault.value)
    assert not [path for path in cache.rglob("*") if path.is_file() and path.name[0] != "."]


def test_names_that_are_no_archives(tmp_path: Path) -> None:
    (tmp_path / "photos.zip/daisy").mkdir(parents=True)  # a folder that is called so
    assert unpacked("photos.zip") == "photos.zip"
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(RetrainError, match="is a file, neither a folder nor a .zip or .tar.gz"):
        read_tree("notes.txt")
    with pytest.raises(RetrainError, match="does not exist"):
        read_tree("nowhere.zip")
    with pytest.raises(UsageFault, match="only http:// and https:// can be fetched"):
        read_tree("ftp://a.b/c.zip")


def test_a_url_is_fetched_once(
    hub: HubServer, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hub.files["flowers.tar.gz"] = archive(".tgz", "flower_photos/")
    caplog.set_level("INFO")
    url = f"{hub.url}/files/flowers.tar.gz"
    index = read_tree(url)
    assert paths(index) == list(FILES) and index.root.name == "flower_photos"
    assert paths(read_tree(url)) == list(FILES) and hub.asked("/files") == 1
    assert f"Photos of {url}: fetched before" in caplog.text
    (index.root / "daisy/a.jpg").unlink()
    assert paths(read_tree(url)) == list(FILES) and hub.asked("/files") == 2


@pytest.mark.parametrize(("path", "said"), [
    ("/status/404", "the server has no such file (404)"), ("/page", "sent a web page"),
    ("/module.tar.gz", None),
])  # fmt: skip
def test_a_url_without_photos(path: str, said: str | None, hub: HubServer, cache: Path) -> None:
    with pytest.raises(RetrainError) as fault:
        read_tree(f"{hub.url}{path}")
    if said is not None:
        assert said in str(fault.value) and "download and unpack it by other means" in str(
            fault.value
        )


def test_secrets_of_a_url_are_neither_shown_nor_kept(
    hub: HubServer, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hub.files["a.zip"] = archive(".zip")
    caplog.set_level("INFO")
    url = f"{hub.url}/files/a.zip?token={SECRET}".replace("http://", f"http://me:{SECRET}@")
    config = TrainConfig.from_flat(url)
    assert read_tree(config.data.image_dir).classes == ("daisy", "roses")
    assert SECRET not in caplog.text + config.data.image_dir + str(config.flat()["image_dir"])
    kept = b"".join(path.read_bytes() for path in cache.rglob("*") if path.is_file())
    assert SECRET.encode() not in kept
    with pytest.raises(RetrainError, match="its query was left out where this was written"):
        read_tree(str(config.data.image_dir))


@pytest.mark.slow  # a whole run
def test_a_run_on_a_url(hub: HubServer, tmp_path: Path) -> None:
    tree = write_colour_tree(tmp_path / "colours", 8)
    shutil.make_archive(str(tmp_path / "c"), "zip", tree.parent, "colours")
    hub.files["colours.zip"] = (tmp_path / "c.zip").read_bytes()
    url = f"{hub.url}/files/colours.zip"
    done = run_command("retrain", url, "--tfhub_module", TINY, "--how_many_training_steps", 20,
                       "--no-report", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"Fetching photos from {url}" in done.stderr
    assert "(N=" in done.stdout and url in (tmp_path / "run.json").read_text()


@pytest.mark.slow  # a graph is run
def test_photos_in_an_archive_are_labelled(tmp_path: Path) -> None:
    photo = next((EXAMPLE_FLOWERS / "daisy").glob("*.jpg")).read_bytes()
    (tmp_path / "a.zip").write_bytes(archive(".zip", "", {"a.jpg": photo, "b/c.jpg": b"broken"}))
    (tmp_path / "bad.zip").write_bytes(b"no archive")
    done = run_command("label-image", "--graph", "imagenet", "--top_k", 1, "--format", "csv",
                       "a.zip", "bad.zip", cwd=tmp_path)  # fmt: skip
    rows = done.stdout.splitlines()
    assert done.returncode == 1 and len(rows) == 4
    assert "/a/a.jpg,daisy," in rows[1] and '/a/b/c.jpg,,,"not a JPEG' in rows[2]
    assert rows[3].startswith('bad.zip,,,"not a JPEG')
    assert "warning: label-image: " in done.stderr and "bad.zip is no archive" in done.stderr
