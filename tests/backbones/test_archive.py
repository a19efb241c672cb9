"""Archives of modules: unpacked whole and only inside their folder, or refused in one line."""

import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from retrain.artifacts.detect import find_saved_model
from retrain.errors import RetrainError
from retrain.utils import archive as archive_module
from retrain.utils.archive import MODULE, Limits, unpack

FILES = {"saved_model.pb": b"graph", "variables/variables.index": b"x" * 1024, "assets/é.txt": b""}


def tar_with(path: Path, *entries: tarfile.TarInfo, mode: str = "w:gz") -> Path:
    """A tar of FILES, then these entries with as many zeros as each says."""
    with tarfile.open(path, mode) as tar:
        for name, content in FILES.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for entry in entries:
            tar.addfile(entry, io.BytesIO(bytes(entry.size)) if entry.isreg() else None)
    return path


def member(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type, entry.linkname = size, kind, "saved_model.pb"
    return entry


def content_of(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def assert_refused(archive: Path, said: str, limits: Limits = MODULE) -> None:
    folder = archive.parent / "place" / "module"
    with pytest.raises(RetrainError) as fault:
        unpack(archive, folder, "https://x.org/m.tar.gz", limits=limits)
    line = str(fault.value)
    assert line.startswith("https://x.org/m.tar.gz is no") and said in line
    assert "\n" not in line
    assert list(folder.parent.iterdir()) == []


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_is_unpacked(mode: str, tmp_path: Path) -> None:
    archive = tar_with(tmp_path / "a", member("empty", kind=tarfile.DIRTYPE), mode=mode)
    unpack(archive, tmp_path / "new" / "module", "a")
    assert content_of(tmp_path / "new" / "module") == FILES
    assert (tmp_path / "new" / "module" / "empty").is_dir()
    assert os.listdir(tmp_path / "new") == ["module"]


def test_zip_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as opened:
        opened.mkdir("empty") if hasattr(opened, "mkdir") else opened.writestr("empty/", "")
        for name, content in FILES.items():
            opened.writestr(name, content)
    unpack(tmp_path / "a.zip", tmp_path / "module", "a")
    assert content_of(tmp_path / "module") == FILES


def test_modes_and_owners_are_not_taken_over(tmp_path: Path) -> None:
    entry = member("run.sh", 3)
    entry.mode, entry.uid = 0o4777, 12345
    unpack(tar_with(tmp_path / "a", entry), tmp_path / "module", "a")
    made = (tmp_path / "module" / "run.sh").stat()
    (tmp_path / "plain").touch()
    assert made.st_uid == os.getuid()
    assert stat.S_IMODE(made.st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_a_folder_that_appeared_meanwhile_stays(tmp_path: Path) -> None:
    (tmp_path / "module").mkdir()
    (tmp_path / "module" / "saved_model.pb").write_bytes(b"the other's")
    unpack(tar_with(tmp_path / "a"), tmp_path / "module", "a")
    assert content_of(tmp_path / "module") == {"saved_model.pb": b"the other's"}
    assert sorted(os.listdir(tmp_path)) == ["a", "module"]


@pytest.mark.parametrize("name", ["/etc/evil", "../evil", "a/../../evil", "..\\evil", "C:\\evil"])
def test_paths_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    assert_refused(tar_with(tmp_path / "a", member(name, 1)), "lies outside of its folder")
    with zipfile.ZipFile(tmp_path / "b", "w") as opened:
        opened.writestr(name, b"x")
    assert_refused(tmp_path / "b", "lies outside of its folder")
    assert not list(tmp_path.parent.rglob("*evil"))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_are_refused(kind: bytes, tmp_path: Path) -> None:
    archive = tar_with(tmp_path / "a", member("odd", kind=kind))
    assert_refused(archive, "holds 'odd', a link or a device")


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("odd")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a", "w") as opened:
        opened.writestr(entry, "/etc/passwd")
    assert_refused(tmp_path / "a", "holds 'odd', a link or a device")


def test_bombs_are_refused(tmp_path: Path) -> None:
    size = archive_module.SMALL_BYTES + 1
    archive = tar_with(tmp_path / "a", member("zeros", size))
    assert archive.stat().st_size < 1e6
    assert_refused(archive, "to more than 67 MB")
    with zipfile.ZipFile(tmp_path / "b", "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("zeros", bytes(size))
    assert_refused(tmp_path / "b", "to more than 67 MB")


def test_more_than_the_limits_is_refused(tmp_path: Path) -> None:
    few, small = replace(MODULE, files=3), replace(MODULE, unpacked=1028)
    unpack(tar_with(tmp_path / "a"), tmp_path / "module", "a", limits=few)
    more = tar_with(tmp_path / "a", member("one more"))
    assert_refused(more, "holds more than 3 files", limits=few)
    assert_refused(more, "to more than 0 MB", limits=small)


def test_a_huge_header_is_refused(tmp_path: Path) -> None:
    """A long name is read into memory before anybody sees it."""
    header = member("././@LongLink", 1 << 30, tarfile.GNUTYPE_LONGNAME)
    (tmp_path / "a").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    assert_refused(tmp_path / "a", "has a header of 1074 MB")


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def one_bit_changed(content: bytes) -> bytes:
    """In the checksum at gzip's end, which tarfile itself does not read."""
    return content[:-8] + bytes([content[-8] ^ 1]) + content[-7:]


@pytest.mark.parametrize("spoil", [cut, one_bit_changed, lambda content: b"", lambda c: c[:3]])
def test_damaged_archives_are_refused(spoil: Callable[[bytes], bytes], tmp_path: Path) -> None:
    tar_with(tmp_path / "a")
    (tmp_path / "a").write_bytes(spoil((tmp_path / "a").read_bytes()))
    assert_refused(tmp_path / "a", "no archive that can be unpacked, or is damaged or cut off (")


@pytest.mark.parametrize("mode", ["w", "w:bz2", "w:xz"])
def test_cut_off_archives_are_refused(mode: str, tmp_path: Path) -> None:
    tar_with(tmp_path / "a", member("last", 4000), mode=mode)
    (tmp_path / "a").write_bytes(cut((tmp_path / "a").read_bytes()))
    assert_refused(tmp_path / "a", "damaged or cut off (")


def test_a_plain_tar_cut_between_two_members_is_refused(tmp_path: Path) -> None:
    tar_with(tmp_path / "a", mode="w")
    with tarfile.open(tmp_path / "a") as tar:
        last = tar.getmembers()[-1].offset
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:last])
    assert_refused(tmp_path / "a", "its end is missing")


def test_a_broken_header_in_the_middle_is_refused(tmp_path: Path) -> None:
    tar_with(tmp_path / "a", mode="w")
    content = bytearray((tmp_path / "a").read_bytes())
    content[1024] ^= 1  # the second member's name, so that its checksum is wrong
    (tmp_path / "a").write_bytes(gzip.compress(content))
    assert_refused(tmp_path / "a", "its end is missing")


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a", "w") as opened:
        opened.writestr("saved_model.pb", b"graph" * 100)
    content = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(content.replace(b"graphgraph", b"graphgrape", 1))
    assert_refused(tmp_path / "a", "Bad CRC-32")
    (tmp_path / "a").write_bytes(cut(content))
    assert_refused(tmp_path / "a", "damaged or cut off (")


@pytest.mark.parametrize("content", [b"<?xml version='1.0'?><Error/>", b"\x89PNG" + bytes(5000)])
def test_what_is_no_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    assert_refused(tmp_path / "a", "is no archive that can be unpacked")


def test_saved_model_is_found_where_archives_put_it(tmp_path: Path) -> None:
    assert find_saved_model(tmp_path / "nowhere") is None
    inner = tmp_path / "module" / "1"
    inner.mkdir(parents=True)
    assert find_saved_model(tmp_path) is None
    (inner / "saved_model.pb").touch()
    (tmp_path / "README.md").touch()
    (tmp_path / "__MACOSX").mkdir()
    assert find_saved_model(tmp_path) == find_saved_model(inner) == inner
    (tmp_path / "other").mkdir()
    assert find_saved_model(tmp_path) is None
