"""What the README and the help say is so."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from conftest import EXAMPLE_FLOWERS, REPO, Run
from run_commands import PATIENCE_S

from retrain.cli.command import GroupedOption
from retrain.cli.evaluate import command as evaluate
from retrain.cli.label_image import label_image
from retrain.cli.train import retrain

pytestmark = pytest.mark.slow

HUB_FLAGS = """image_dir output_graph intermediate_output_graphs_dir intermediate_store_frequency
output_labels summaries_dir how_many_training_steps learning_rate testing_percentage
validation_percentage eval_step_interval train_batch_size test_batch_size validation_batch_size
print_misclassified_test_images bottleneck_dir final_tensor_name flip_left_right random_crop
random_scale random_brightness tfhub_module saved_model_dir logging_verbosity checkpoint_path"""
OLDER_FLAGS = "model_dir architecture"
LABEL_FLAGS = """image graph labels input_height input_width input_mean input_std input_layer
output_layer num_top_predictions"""

README = (REPO / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.S)
    for line in block.splitlines()
    if not line.startswith("scripts/")
]


def names(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts}


def test_all_flags_of_the_old_scripts_are_accepted() -> None:
    hub, older = HUB_FLAGS.split(), OLDER_FLAGS.split()
    assert len(hub) == 25
    assert len(set(hub + older) - {"tfhub_module", "saved_model_dir", "logging_verbosity",
                                   "checkpoint_path"}) == 23  # fmt: skip
    assert {f"--{name}" for name in hub + older} <= names(retrain)
    assert {f"--{name}" for name in LABEL_FLAGS.split()} <= names(label_image)


def test_an_old_command_line_runs(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    """The codelab's, with each remaining flag of both scripts, in both spellings."""
    done = run(
        "retrain", "--bottleneck_dir=tf_files/bottlenecks", "--how_many_training_steps=50",
        "--model_dir=tf_files/models", "--summaries_dir=tf_files/training_summaries/m",
        "--output_graph=tf_files/retrained_graph.pb", "--output-labels=tf_files/labels.txt",
        "--architecture=mobilenet_0.25_128", f"--image-dir={colour_tree}",
        "--logging_verbosity", "WARN", "--eval-step-interval", "5", "--train_batch_size=20",
        "--validation_batch_size=-1", "--test_batch_size=7", "--final-tensor-name=final_result",
        "--intermediate_output_graphs_dir=tf_files/steps", "--intermediate_store_frequency=0",
        "--checkpoint_path=tf_files/_retrain_checkpoint", "--saved_model_dir=tf_files/saved/1/",
        "--learning_rate=0.5", "--testing_percentage=20", "--validation_percentage=20",
        "--flip_left_right", "--random_crop=5", "--random_scale=5", "--random_brightness=5",
        "--print_misclassified_test_images", "--distortion_copies=1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "Final test accuracy = 100.0% (N=7)" in done.stdout
    made = tmp_path / "work/tf_files"
    assert (made / "retrained_graph.pb").exists() and (made / "labels.txt").exists()
    assert (made / "saved/1/saved_model.pb").exists()


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("--training_batch_size=5", "--train_batch_size"),
        ("--how_many", "--how_many_training_steps"),
        ("--image-dirs", "--image_dir"),
        ("--learning_rates", "--learning_rate"),
    ],
)
def test_unknown_flags_are_refused_with_the_nearest(given: str, near: str, run: Run) -> None:
    done = run("retrain", given, "1")
    assert done.returncode == 2
    assert done.stderr.endswith(f"Did you mean {near}?\n") and done.stderr.count("\n") == 1


def help_of(command: str, run: Run, flag: str) -> str:
    done = run(command, flag, COLUMNS="80")
    assert done.returncode == 0
    return done.stdout


def test_help_shows_the_everyday_dozen_on_one_screen(run: Run) -> None:
    text = help_of("retrain", run, "--help")
    assert len(text.splitlines()) <= 40
    assert max(map(len, text.splitlines())) <= 80
    assert 10 <= len(re.findall(r"^  --\w+", text, re.M)) <= 15
    for group in ("Photos:", "Module and features:", "Training:", "Outputs:"):
        assert group in text


@pytest.mark.parametrize("command", [retrain, label_image])
def test_help_all_shows_every_option_in_the_same_groups(command: click.Command, run: Run) -> None:
    some = help_of(str(command.name), run, "--help")
    every = help_of(str(command.name), run, "--help-all")
    shown = set(re.findall(r"--[a-z0-9_-]+", every))
    assert {name for name in names(command) if name.startswith("--")} <= shown

    def groups(text: str) -> list[str]:
        return re.findall(r"^(\w.*):$", text, re.M)

    assert [group for group in groups(every) if group in groups(some)] == groups(some)
    for option in command.params:
        if isinstance(option, GroupedOption):
            assert option.help and option.help.endswith("."), option.name


def in_a_shell(command: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=cwd,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_readme_commands_run(command: str, readme_folder: Path, run: Run) -> None:
    if set("|&;<>$`") & set(command):
        done = in_a_shell(command, readme_folder)
    else:
        name, *words = shlex.split(command, comments=True)
        done = run(name, *words, cwd=readme_folder)
    assert done.returncode == 0, done.stderr
    printed = ("(score=", "Final test accuracy", "licence", "photos/s", "Mparams", "Audit: ",
               "Evaluation: ", "solver", "Placeholder", "TFLite int8: ", "ONNX: ")  # fmt: skip
    written = re.search(r"--output (\S+)", command)
    if written:
        assert (readme_folder / written[1]).stat().st_size and not done.stdout
    else:
        assert any(text in done.stdout for text in printed)


def test_readme_program_runs(
    readme_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README, re.S)
    photo = next((readme_folder / "flowers" / "daisy").iterdir())
    shutil.copy(photo, readme_folder / "photo.jpg")
    monkeypatch.chdir(readme_folder)
    exec(program, {"__name__": "__main__"})
    printed = capsys.readouterr().out
    for said in ("<trained output_graph.pb: ", "<photo.jpg: ", "photo.jpg [('", "<audit of "):
        assert said in printed


PHOTOS = 12  # of a class


@pytest.fixture(scope="module")
def readme_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the commands in their order, with some example photos as `flowers`, and among
    them those that are named."""
    folder = tmp_path_factory.mktemp("readme")
    named = set(re.findall(r"flowers/\w+/(\w+\.jpg)", README))
    for kind in EXAMPLE_FLOWERS.iterdir():
        if kind.is_dir():
            photos = sorted(kind.iterdir(), key=lambda path: (path.name not in named, path.name))
            (folder / "flowers" / kind.name).mkdir(parents=True)
            for photo in photos[:PHOTOS]:
                shutil.copy2(photo, folder / "flowers" / kind.name)
    return folder


def test_readme_names_the_files_it_links() -> None:
    for target in re.findall(r"\]\((?!http|#)([^)]+)\)", README):
        assert (REPO / target).exists(), target


def test_readme_options_exist() -> None:
    known = names(retrain) | names(label_image) | names(evaluate)
    for name in re.findall(r"`(--[\w-]+)", README):
        assert name.replace("-", "_") in {one.replace("-", "_") for one in known}, name


def test_ci_runs_the_readmes_test_command() -> None:
    assert "```sh\nscripts/test\n```" in README
    last = (REPO / ".ci/run").read_text().splitlines()[-1]
    assert shlex.split(last) == ["exec", "scripts/test"]
    for script in ("scripts/test", "scripts/demo", ".ci/run"):
        assert os.access(REPO / script, os.X_OK)


def test_files_stay_small() -> None:
    for path in (REPO / "retrain").rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 400, f"{path} asks for a split"
