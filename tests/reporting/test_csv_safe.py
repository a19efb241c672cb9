"""Tables in which a spreadsheet computes nothing, where that is asked for."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import COLOURS, Run, write_picture

from retrain.data.summary import report_aside
from retrain.data.walk import SetAside
from retrain.evaluation.audit.audit import Audit
from retrain.evaluation.audit.balance import Balance
from retrain.evaluation.audit.finding import Finding
from retrain.evaluation.audit.listing import write_audit_csv
from retrain.inference.answers import LabelledPhoto
from retrain.inference.writers import formatted
from retrain.reporting.records import write_prediction_rows

NAMES = ["=1+2", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "plain", "a=b"]
FORMULA = tuple("=+-@\t\r")


def cells(text: str, delimiter: str = ",") -> list[str]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return [cell for row in rows for cell in row]


def tables(folder: Path, safe: bool) -> dict[str, list[str]]:
    """The cells of every table that is written for people, with such names in all places."""
    scores = np.full((len(NAMES),), 1 / len(NAMES))
    rows = ((name, "test", name, scores) for name in NAMES)
    write_prediction_rows(folder / "p.csv", NAMES, rows, csv_safe=safe)
    findings = tuple(Finding("blank", "note", name, name, 0.5, name) for name in NAMES)
    balance = Balance("a", 1, "b", 1)
    write_audit_csv(Audit(8, tuple(NAMES), balance, findings), folder / "a.csv", csv_safe=safe)
    aside = [SetAside(name, name) for name in NAMES]
    report_aside(aside, folder / "set_aside.csv", strict=False, csv_safe=safe)
    photos = [LabelledPhoto(name, ((name, 0.5),), None) for name in NAMES]
    found = {
        form: cells("".join(formatted(photos, form, titled=False, labels=1, csv_safe=safe)), sign)
        for form, sign in (("csv", ","), ("tsv", "\t"))
    }
    for name in ("p.csv", "a.csv", "set_aside.csv"):
        found[name] = cells((folder / name).read_bytes().decode())
    return found


def test_no_cell_of_a_safe_table_is_a_formula(tmp_path: Path) -> None:
    for name, found in tables(tmp_path, safe=True).items():
        assert not [cell for cell in found if cell.startswith(FORMULA)], name
        assert {f"'{each}" for each in NAMES[:6]} | set(NAMES[6:]) <= set(found), name


def test_other_tables_hold_names_as_they_are(tmp_path: Path) -> None:
    for name, found in tables(tmp_path, safe=False).items():
        assert set(NAMES) <= set(found) and not [c for c in found if c.startswith("'")], name


def test_each_command_has_it(tmp_path: Path, run: Run) -> None:
    for name, colour in zip(("=red", "+green", "-blue"), COLOURS.values(), strict=True):
        for photo in range(12):
            write_picture(tmp_path / "photos" / name / f"{photo:02}.png", colour, photo)
    (tmp_path / "photos" / "=red" / "bad.png").write_bytes(b"bad")
    tree = ["--image_dir", tmp_path / "photos", "--csv_safe"]
    module = ["--tfhub_module", "mobilenet_v1_025_128"]
    quick = ["--how_many_training_steps", "5", "--summaries_dir=", "--no-report"]
    graph = ["--graph", "output_graph.pb"]
    for words in (
        ["retrain", *tree, *module, *quick],
        ["retrain", "audit", *tree, *module],
        ["retrain", "evaluate", *tree, *graph, "--no-report", "--output_dir", "judged"],
    ):
        done = run(words[0], *words[1:])
        assert done.returncode == 0, done.stderr
    labelled = run("label-image", *graph, "--format", "csv", "--csv_safe", tmp_path / "photos/=red")
    work = tmp_path / "work"
    texts = [(work / name).read_bytes().decode() for name in (
        "predictions.csv", "audit.csv", "set_aside.csv", "judged/predictions.csv")]  # fmt: skip
    for text in [labelled.stdout, *texts]:
        assert not [cell for cell in cells(text) if cell.startswith(FORMULA)]
    assert "'=red" in texts[0] and "'=red" in texts[3] and "'=red" in texts[2]


@pytest.mark.parametrize("name", ["train", "audit", "evaluate", "label_image"])
def test_the_help_says_so(name: str) -> None:
    from importlib import import_module

    commands = {"train": "retrain", "label_image": "label_image"}
    command = getattr(import_module(f"retrain.cli.{name}"), commands.get(name, "command"))
    shown = CliRunner().invoke(command, ["--help-all" if name != "label_image" else "--help"])
    assert "--csv_safe" in shown.output and "spreadsheet" in shown.output
