"""`retrain modules`, and what a run says of modules it cannot have."""

import shutil
from pathlib import Path

import pytest
from conftest import TINY, Run
from hub_server import HubServer, module_archive

from retrain.backbones.bundled import BUNDLED_FOLDER
from retrain.backbones.freeze.input_config import InputConfig, parse_range, parse_size
from retrain.backbones.sources.efficientnet_lite import installed_weights
from retrain.backbones.sources.resolve import resolve
from retrain.errors import UsageFault

pytestmark = pytest.mark.slow

OFFLINE = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}


def test_list_says_what_is_here(run: Run, tmp_path: Path) -> None:
    done = run("retrain", "modules", "list", "--model_dir", tmp_path, **OFFLINE)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == [
        "name", "here", "size", "features", "Mparams", "top-1", "%", "licence"
    ]  # fmt: skip
    rows = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    assert rows["mobilenet_v1_100_224"][:3] == ["bundled", "224", "1024"]
    assert rows["inception_v3"] == ["download", "299", "2048", "23.9", "78.0", "Apache-2.0"]
    lite = rows["efficientnet_lite0"][0]
    assert lite == ("package" if installed_weights(0) else "extra")
    assert len(rows) == len(lines) - 1 > 80


def test_show_tells_all_facts(run: Run, tmp_path: Path) -> None:
    done = run("retrain", "modules", "show", TINY, "--model_dir", tmp_path)
    facts = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert facts["here"] == "bundled" and facts["licence"] == "Apache-2.0"
    assert facts["fingerprint"] == "4fd7f3863f672ba531b15f51331bfd8e"
    assert str(BUNDLED_FOLDER / TINY) in facts["graph"]
    done = run("retrain", "modules", "show", "inception_v3", "--model_dir", tmp_path)
    assert "https://tfhub.dev/google/imagenet/inception_v3/feature_vector/5" in done.stdout
    assert "keras.applications.InceptionV3" in done.stdout
    done = run("retrain", "modules", "show", "incepton_v3", "--model_dir", tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "retrain modules: no module is called 'incepton_v3': did you mean inception_v3?\n"
    )


def test_fetch_prepares_a_machine_without_network(
    run: Run, small_module: Path, colour_tree: Path, tmp_path: Path
) -> None:
    """What was fetched into --model_dir is all that the other machine needs."""
    hub = HubServer()
    hub.module = module_archive(root=small_module)
    with hub.running() as server:
        url = f"{server.url}/hub/google/tiny/1"
        done = run("retrain", "modules", "fetch", url, "--model_dir", tmp_path / "modules",
                   TFHUB_CACHE_DIR=str(tmp_path / "hub"))  # fmt: skip
        assert done.returncode == 0, done.stderr
        name, folder = done.stdout.strip().split(": ")
        assert name == "hub-google-tiny-1" and (Path(folder) / "frozen_graph.pb").is_file()
    shutil.rmtree(tmp_path / "hub")
    (tmp_path / "modules").rename(tmp_path / "carried")
    done = run("retrain", "--image_dir", colour_tree, "--tfhub_module", url, "--model_dir",
               tmp_path / "carried", "--how_many_training_steps", 5, "--no-report")  # fmt: skip
    assert done.returncode == 0, done.stderr
    listed = run("retrain", "modules", "list", "--model_dir", tmp_path / "carried").stdout
    assert "hub-google-tiny-1" in listed.splitlines()[-1]
    shown = run("retrain", "modules", "show", "hub-google-tiny-1", "--model_dir",
                tmp_path / "carried")  # fmt: skip
    assert "TF2 SavedModel" in shown.stdout


def test_verify_finds_damage(frozen_tiny: Path, run: Run, tmp_path: Path) -> None:
    shutil.copytree(frozen_tiny, tmp_path, dirs_exist_ok=True)
    sound = run("retrain", "modules", "verify", "--model_dir", tmp_path)
    assert (sound.returncode, sound.stdout.splitlines()) == (
        0, ["mobilenet_v1_100_224: ok", f"{TINY}: ok", f"{TINY}: ok"]
    )  # fmt: skip
    (graph,) = tmp_path.glob("*/frozen_graph.pb")
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    done = run("retrain", "modules", "verify", TINY, "--model_dir", tmp_path)
    assert done.returncode == 1
    first, second = done.stdout.splitlines()
    assert first == f"{TINY}: ok"
    assert "its graph is not the one that was frozen; remove the folder" in second
    missing = run("retrain", "modules", "verify", "inception_v3", "--model_dir", tmp_path)
    assert missing.returncode == 1 and "not on this machine" in missing.stdout


def test_compare_makes_one_table(run: Run, colour_tree: Path, tmp_path: Path) -> None:
    done = run("retrain", "modules", "compare", TINY, "mobilenet_v1_100_224", "--image_dir",
               colour_tree, "--how_many_training_steps", 100)  # fmt: skip
    assert done.returncode == 0, done.stderr
    head, first, second = done.stdout.splitlines()
    assert head.split() == ["module", "accuracy", "interval", "difference", "interval",
                            "photos/s", "MB", "features"]  # fmt: skip
    assert first.split()[:5] == [TINY, "100.0%", "94.9%", "to", "100.0%"]
    assert first.split()[-1] == "256" and second.split()[-1] == "1024"
    assert second.split()[5] == "+0.0"
    # Nothing is written beside the user's files: no graph, no labels, no list of broken files.
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("name", ["inception_v3", "resnet50"])
def test_without_network_one_line_says_how_to_get_it(
    name: str, run: Run, colour_tree: Path, tmp_path: Path
) -> None:
    """In a second or two: the connection is tried before TensorFlow is imported. (How long a
    network that swallows everything is waited for: tests/backbones/test_download.py.)"""
    done = run("retrain", "--image_dir", colour_tree, "--architecture", name, "--model_dir",
               tmp_path / "modules", TFHUB_CACHE_DIR=str(tmp_path / "hub"),
               PYTHONPROFILEIMPORTTIME="1", **OFFLINE)  # fmt: skip
    assert " tensorflow\n" not in done.stderr
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("retrain: ")]
    assert line.startswith("retrain: cannot download ")
    assert f"retrain modules fetch {'resnet_v1_50' if name == 'resnet50' else name} " in line
    assert "--tfhub_module" in line and "mobilenet_v1_100_224, mobilenet_v1_025_128" in line


def test_handles_that_mean_nothing_are_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.pb").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    for handle, said in (
        ("mobilenet_v1_100_225", "did you mean mobilenet_v1_100_224?"),
        ("./no/such/folder", "`retrain modules list` shows them all"),
        ("gs://bucket/module", "only http:// and https:// can be fetched"),
        (str(tmp_path / "a.pb"), "neither a folder nor a .tar.gz"),
    ):
        with pytest.raises(UsageFault, match="module") as fault:
            resolve(handle, InputConfig(), tmp_path)
        assert said in str(fault.value)
    done = run("retrain", "modules", "fetch", tmp_path / "empty", "--model_dir", tmp_path / "m")
    assert done.returncode == 1 and "holds no saved_model.pb" in done.stderr


def test_a_fixed_size_cannot_be_changed(run: Run, tmp_path: Path, colour_tree: Path) -> None:
    done = run("retrain", "--image_dir", colour_tree, "--tfhub_module", TINY,
               "--input_size", 160, "--model_dir", tmp_path / "modules")  # fmt: skip
    assert done.returncode == 1
    assert "takes pictures of 128x128 only: leave out --input_size 160x160" in done.stderr
    assert not (tmp_path / "modules").exists()


def test_sizes_and_ranges_are_read_from_text() -> None:
    assert parse_size("224") == (224, 224) and parse_size("96X128") == (96, 128)
    assert parse_range("-1,1") == (-1.0, 1.0) and parse_range("0, 255") == (0.0, 255.0)
    for text in ("", "0", "12x", "-5", "3x0", "axb"):
        with pytest.raises(UsageFault, match="--input_size"):
            parse_size(text)
    for text in ("", "1", "1,1", "2,1", "0,inf", "nan,1", "0,1,2", "a,b"):
        with pytest.raises(UsageFault, match="--input_range"):
            parse_range(text)


def test_an_unknown_command_is_named(run: Run) -> None:
    done = run("retrain", "modlues")
    assert done.returncode == 2
    assert done.stderr.startswith("retrain: there is no command 'modlues': did you mean modules?")
