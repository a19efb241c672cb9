"""The graph that labels photos where none is named: never ImageNet's in silence."""

import shutil
from pathlib import Path

import pytest
from conftest import EXAMPLE_FLOWERS

from retrain.errors import UsageFault
from retrain.inference.which_graph import choose_graph, is_graph

PHOTO = next((EXAMPLE_FLOWERS / "daisy").glob("*.jpg"))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(PHOTO, "photo.jpg")
    return tmp_path


def make(name: str) -> str:
    """Something that is taken for a graph by its name."""
    path = Path(name)
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(b"\x0a\x01")
    return name


@pytest.mark.parametrize("name", ["output_graph.pb", "output_graph.onnx"])
def test_the_graph_that_is_here_is_taken_and_said(name: str) -> None:
    make(name)
    make("tiny.pb")  # the one that is called as usual is meant
    chosen = choose_graph(None, ["photo.jpg"])
    assert (chosen.graph, chosen.names) == (Path(name), ("photo.jpg",))
    assert chosen.remark.startswith(f"graph {name}, which is here")


GRAPHS = ["output_graph.pb", "a/b.pb", "m.tflite", "m.onnx", "serving", "serving/1"]


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("first", [True, False])
def test_a_graph_among_the_names_is_the_graph(name: str, first: bool) -> None:
    make("serving/1/saved_model.pb" if "serving" in name else name)
    chosen = choose_graph(None, [name, "photo.jpg"] if first else ["photo.jpg", name])
    assert (chosen.graph, chosen.names) == (Path(name), ("photo.jpg",))
    assert chosen.remark == f"graph {name}, the one among the names"


def test_a_graph_that_is_given_is_not_talked_about() -> None:
    make("output_graph.pb")
    for given in ("output_graph.pb", "elsewhere.pb"):
        chosen = choose_graph(Path(given), ["photo.jpg"])
        assert (chosen.graph, chosen.remark) == (Path(given), "")


@pytest.mark.parametrize(
    ("given", "names", "said"),
    [
        (None, ["photo.jpg"], "no graph given, and here is one.pb: give --graph one.pb, or"),
        (None, ["one.pb", "two.pb", "photo.jpg"], "one.pb is a graph, no photo: say with --graph"),
        ("two.pb", ["one.pb", "photo.jpg"], "one.pb is a graph, and so is --graph two.pb"),
        ("imagenet", ["one.pb", "photo.jpg"], "one.pb is a graph, no photo: say with --graph"),
    ],
)
def test_what_is_ambiguous_is_asked(given: str | None, names: list[str], said: str) -> None:
    make("one.pb")
    make("two.pb")
    with pytest.raises(UsageFault, match=said):
        choose_graph(Path(given) if given else None, names)


def test_imagenet_where_there_is_nothing_else_or_it_is_asked_for() -> None:
    chosen = choose_graph(None, ["photo.jpg"])
    assert chosen.graph is None and "ImageNet's 1001 classes" in chosen.remark
    make("output_graph.pb")
    chosen = choose_graph(Path("imagenet"), ["photo.jpg"])
    assert (chosen.graph, chosen.remark) == (None, "")


def test_photos_are_no_graphs(here: Path) -> None:
    shutil.copy(PHOTO, "picture.pb")  # a photo with a graph's end
    make("both/saved_model.pb")
    shutil.copy(PHOTO, "both/photo.jpg")
    for name in ("photo.jpg", "picture.pb", "both", ".", "missing.pb", "*.pb", str(here)):
        assert not is_graph(name), name
