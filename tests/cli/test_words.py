"""Commands as people type them: with and without a word, mistyped, and completed by a shell."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from conftest import REPO
from run_commands import PATIENCE_S, run_command

from retrain.cli import main as main_module
from retrain.cli.audit import command as audit
from retrain.cli.compare_heads import command as compare_heads
from retrain.cli.evaluate import command as evaluate
from retrain.cli.main import main
from retrain.cli.options import photos_folder
from retrain.cli.train import retrain
from retrain.cli.words import COMMANDS, load, overview
from retrain.data.folder import read_tree
from retrain.errors import RetrainError, UsageFault
from retrain.utils.nearest import nearest, nearest_folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flowers").mkdir()
    return tmp_path


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str | None, list[str]]]:
    """The command and its words that `retrain` would run."""
    found: list[tuple[str | None, list[str]]] = []

    def note(command: click.Command, arguments: list[str]) -> None:
        found.append((command.name, arguments))
        sys.exit(0)

    monkeypatch.setattr(main_module, "run", note)
    return found


@pytest.mark.parametrize(
    ("typed", "command", "words"),
    [
        ("flowers/", "retrain", "flowers/"),
        ("flowers", "retrain", "flowers"),
        ("./nowhere --seed 1", "retrain", "./nowhere --seed 1"),
        ("http://a.b/c.zip", "retrain", "http://a.b/c.zip"),
        ("--image_dir flowers/", "retrain", "--image_dir flowers/"),
        ("--seed 1 flowers/", "retrain", "--seed 1 flowers/"),
        ("train flowers/", "retrain", "flowers/"),
        ("label photo.jpg", "label-image", "photo.jpg"),
        ("audit flowers", "retrain audit", "flowers"),
        ("compare_heads flowers", "retrain compare-heads", "flowers"),
        ("modules list", "retrain modules", "list"),
        ("completion bash", "retrain completion", "bash"),
        ("help", "retrain help", ""),
        ("tran", "retrain", "tran"),
    ],
)
def test_what_is_run(
    typed: str,
    command: str,
    words: str,
    called: list[tuple[str | None, list[str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["retrain", *typed.split()])
    with pytest.raises(SystemExit):
        main()
    assert called == [(command, words.split())]


def test_nothing_is_answered_with_an_example_and_all_commands(here: Path) -> None:
    bare = run_command("retrain", cwd=here)
    asked = run_command("retrain", "help", cwd=here)
    assert (bare.returncode, bare.stdout, bare.stderr) == (2, "", f"{overview()}\n")
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, f"{overview()}\n", "")
    lines = overview().splitlines()
    assert max(map(len, lines)) <= 80 and "  retrain flowers/ " in overview()
    for word in COMMANDS:
        assert sum(line.startswith(f"  retrain {word} ") for line in lines) >= 1


def test_a_command_of_commands_alone_says_which_there_are(here: Path) -> None:
    bare = run_command("retrain", "modules", cwd=here)
    asked = run_command("retrain", "help", "modules", cwd=here)
    assert (bare.returncode, bare.stdout, bare.stderr) == (2, "", asked.stdout)
    assert "  fetch " in bare.stderr and "  compare " in bare.stderr


@pytest.mark.parametrize("word", COMMANDS)
def test_each_command_has_its_help(word: str, here: Path) -> None:
    assert isinstance(load(word), click.Command)
    if word != "help":
        asked = run_command("retrain", "help", word, cwd=here)
        given = run_command("retrain", word, "--help", cwd=here)
        assert (asked.returncode, asked.stdout) == (0, given.stdout)
        assert asked.stdout.startswith("Usage: ")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("tran", "there is no command 'tran': did you mean train?"),
        ("audti flowers", "there is no command 'audti': did you mean audit?"),
        ("flwers", "there is no command or folder 'flwers': did you mean flowers/?"),
        ("qqq", "there is no command 'qqq': commands are train, label, "),
        ("help audti", "there is no command 'audti': did you mean audit?"),
        ("train", "no folder of photos given: name the one that holds a folder for each class, "),
        ("--seed 1", "no folder of photos given"),
        ("audit", "no folder of photos given: "),
        ("modules lst", "No such command 'lst'. Did you mean 'list'?"),
        ("modules list --model_dri x", "Did you mean --model_dir?"),
        ("flowers --lerning_rate 1", "Did you mean --learning_rate?"),
        ("label --grahp x", "Did you mean --graph?"),
        ("modules show mobilenet_v1_100_225", "did you mean mobilenet_v1_100_224?"),
    ],
)
def test_what_is_mistyped_is_named(typed: str, said: str, here: Path) -> None:
    done = run_command("retrain", *typed.split(), cwd=here)
    assert done.returncode == 2 and done.stdout == ""
    assert said in done.stderr and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("path", ["flwers", "Flower", "flowers/trian", "flwers/train", "x/y/z"])
def test_a_folder_that_is_not_there(path: str, here: Path) -> None:
    (here / "flowers/train").mkdir()
    with pytest.raises(RetrainError, match="does not exist") as fault:
        read_tree(path)
    near = here / ("flowers/train" if "tr" in path else "flowers")
    assert (f"did you mean {near}? " in str(fault.value)) == (path[0] != "x")


def test_what_looks_most_alike() -> None:
    assert nearest("dasy", ["daisy", "roses"]) == "daisy"
    assert nearest("tulip", ["daisy", "roses"]) is None
    assert nearest_folder(Path("/")) is None


@pytest.mark.parametrize("command", [retrain, audit, compare_heads, evaluate])
def test_the_folder_may_be_named_without_its_option(command: click.Command) -> None:
    names = [parameter.name for parameter in command.params]
    assert "folder" in names and "image_dir" in names


@click.command(name="retrain")
@photos_folder()
@click.pass_context
def shown(ctx: click.Context, image_dir: str) -> None:
    click.echo(f"{image_dir} {getattr(ctx.get_parameter_source('image_dir'), 'name', '')}")


def test_the_folder_comes_from_the_argument_the_option_or_the_settings() -> None:
    def show(*words: str, recorded: str | None = None) -> str:
        settings = {} if recorded is None else {"image_dir": recorded}
        done = CliRunner().invoke(shown, words, default_map=settings, catch_exceptions=False)
        return str(done.output.strip())

    assert show("a") == show("--image_dir", "a") == show("a", "--image_dir", "a")
    assert show("a") == show("a", recorded="b") == "a COMMANDLINE"
    assert show(recorded="b") == "b DEFAULT_MAP"
    with pytest.raises(UsageFault, match="a and --image_dir b are two folders: give one"):
        show("a", "--image_dir", "b")
    assert "Usage: retrain [OPTIONS] [DIR]" in show("--help")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("retrain ", {"train", "label", "audit", "help"}),
        ("retrain au", {"audit"}),
        ("retrain --lear", {"--learning_rate", "--learning_rate_schedule"}),
        ("retrain flowers --spl", {"--split"}),
        ("retrain audit --spl", {"--split"}),
        ("retrain --solver m", {"momentum"}),
        ("retrain modules f", {"fetch"}),
        ("retrain --tfhub_module efficientnet_lite0", {"efficientnet_lite0"}),
        ("retrain --image_dir fl", {"fl"}),  # a file: the shell knows them
        ("retrain label --grap", {"--graph"}),
        ("label-image --grap", {"--graph"}),
        ("label-image --graph out", {"out"}),
        ("label-image --format js", {"json", "jsonl"}),
    ],
)
def test_a_shell_is_told_how_words_go_on(
    typed: str, offered: set[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = typed.split()[0]
    monkeypatch.setenv(f"_{command.replace('-', '_').upper()}_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(typed.count(" ")))
    done = run_command(command, cwd=here)
    found = {line.partition(",")[2] for line in done.stdout.splitlines()}
    assert done.returncode == 0 and found >= offered and done.stderr == ""
    if not typed.endswith((" ", "au")):
        assert found == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_of_both_commands(shell: str, here: Path) -> None:
    done = run_command("retrain", "completion", shell, cwd=here)
    assert done.returncode == 0
    for variable in ("_RETRAIN_COMPLETE", "_LABEL_IMAGE_COMPLETE"):
        assert f"{variable}={shell}_complete" in done.stdout


@pytest.mark.slow  # a shell, for it reads the script
def test_bash_takes_the_script(here: Path) -> None:
    if not shutil.which("bash"):
        pytest.skip("no bash")
    script = run_command("retrain", "completion", "bash", cwd=here).stdout
    ask = "COMP_WORDS=(retrain --lear); COMP_CWORD=1; _retrain_completion retrain"
    done = subprocess.run(
        ["bash", "-c", f"{script}\ncomplete -p retrain label-image\n{ask}\necho ${{COMPREPLY[@]}}"],
        env={**os.environ, "PATH": f"{REPO / '.venv/bin'}:{os.environ['PATH']}"},
        capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "--learning_rate --learning_rate_schedule", done.stderr
