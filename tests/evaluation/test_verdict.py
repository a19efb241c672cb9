"""The verdict: what it says for good, weak, vague and useless results, and what to do next."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrain.evaluation.audit.audit import Audit
from retrain.evaluation.audit.balance import balance
from retrain.evaluation.audit.finding import Finding
from retrain.evaluation.metrics import Metrics, compute_metrics
from retrain.evaluation.next_steps import Places, Step, next_steps
from retrain.evaluation.verdict import is_vague, judge

LABELS = ["daisy", "roses", "tulips"]
USE = Step("Use it", "label-image --graph g.pb PHOTO")


def metrics_of(confusion: list[list[int]], score: float = 0.9) -> Metrics:
    """Metrics of photos counted by class and answer; each answer has this score."""
    cells = [cell for cell in np.ndindex(3, 3) for _ in range(confusion[cell[0]][cell[1]])]
    truth = np.array([cell[0] for cell in cells], np.int64)
    probabilities = np.full((len(cells), 3), (1 - score) / 2)
    for row, (_, answer) in enumerate(cells):
        probabilities[row, answer] = score
    return compute_metrics(probabilities, truth, LABELS, rng=np.random.default_rng(0))


GOOD = [[95, 2, 3], [1, 98, 1], [2, 1, 97]]
WEAK = [[60, 20, 20], [22, 50, 28], [9, 11, 80]]
FEW = [[4, 1, 0], [0, 2, 2], [1, 0, 4]]
USELESS = [[0, 0, 60], [0, 0, 61], [0, 1, 62]]
FOLDS = np.array([[52, 4, 2], [6, 40, 12], [1, 1, 57]])
NONE = [[0, 0, 0]] * 3


@pytest.mark.parametrize(
    ("confusion", "said"),
    [
        (GOOD, "It can be used where one wrong answer in 30 does no harm: of 100 new photos like "
               "these, 94 to 98 will be recognised."),
        ([[50, 0, 0], [0, 50, 0], [0, 0, 50]],
         "It can be used where a rare wrong answer does no harm: of 100 new photos like these, "
         "98 to 100 will be recognised."),
        (WEAK, "It can help a person, and should decide nothing by itself: of 100 new photos like "
               "these, 58 to 69 will be recognised."),
        (FEW, "Whether it can be used cannot be said yet: of 100 new photos like these, 45 to 88 "
              "will be recognised, which is all that 14 photos can tell."),
        (USELESS, "It cannot be used yet: to answer with the largest class each time "
                  "(tulips, 34\N{NO-BREAK SPACE}%) may be as good."),
        (NONE, "Nobody can say whether it can be used: there is no test photo."),
    ],
)  # fmt: skip
def test_it_says_whether_the_classifier_can_be_used(confusion: list[list[int]], said: str) -> None:
    found = judge(metrics_of(confusion), (), USE)
    assert found.usable == said
    assert found.steps == (() if confusion in (USELESS, NONE) else (USE,))
    assert judge(metrics_of(confusion), (), None).steps == ()  # it missed a gate


def test_folds_of_all_photos_decide_where_test_photos_are_few() -> None:
    found = judge(metrics_of(FEW), (), USE, folds=FOLDS)
    assert found.weakest is not None
    assert found.weakest.sentence() == "roses (40 of 58 right), 12 taken for tulips"
    assert found.usable.startswith("It can be used where one wrong answer in 7 does no harm")
    assert found.folds is not None
    assert found.folds.sentence() == (
        "85.1\N{NO-BREAK SPACE}% of 175 photos are recognised "
        "(95 % interval 79.1 to 89.7\N{NO-BREAK SPACE}%)"
    )


@pytest.mark.parametrize(("confusion", "vague"), [(NONE, True), (FEW, True), (GOOD, False)])
def test_folds_are_shown_where_test_photos_are_few(confusion: list[list[int]], vague: bool) -> None:
    assert is_vague(metrics_of(confusion)) == vague


def test_the_weakest_class_is_told_with_what_it_is_taken_for() -> None:
    weakest = judge(metrics_of(WEAK), (), USE).weakest
    assert weakest is not None
    assert weakest.sentence() == "roses (50 of 100 right), 28 taken for tulips"
    few = judge(metrics_of(FEW), (), USE).weakest
    assert few is not None
    assert few.sentence() == "roses (2 of 4 right), 2 taken for tulips; may be chance"
    assert few.sentence(4) == "ros… (2 of 4 right), 2 taken for tul…; may be chance"
    assert judge(metrics_of([[9, 0, 0], [0, 9, 0], [0, 0, 9]]), (), USE).weakest is None
    # Of few photos, all may be wrong by chance: the weak class of many is told.
    mixed = judge(metrics_of([[0, 2, 0], [5, 15, 0], [0, 9, 27]]), (), USE).weakest
    assert mixed is not None and mixed.label == "tulips"  # of equals the largest


def test_sure_answers_are_counted_and_judged() -> None:
    assert judge(metrics_of(GOOD), (), USE).sure == (
        "100\N{NO-BREAK SPACE}% of the answers have a score above 80\N{NO-BREAK SPACE}%, "
        "and 96.7\N{NO-BREAK SPACE}% of those are right."
    )
    assert judge(metrics_of(GOOD, score=0.8), (), USE).sure == ""


def audit_of(*findings: Finding) -> Audit:
    return Audit(10, tuple(LABELS), balance(LABELS, np.array([4, 3, 3])), findings)


LEAK = Finding("exact_duplicate", "error", "", "a", "daisy", "train", "b", "daisy", "test")
SUSPECT = Finding("suspected_label", "warning", "", "c", "daisy", "train", suggested="roses")
PLACES = Places("my flowers", Path("g.pb"), Path("run.json"), Path("audit.csv"), "small", "large")
AGAIN = "retrain --config run.json"

STEPS = {
    "leaks": ((GOOD, audit_of(LEAK), ()),
              Step("Take out copies (1 pair in two sets, see audit.csv), train again", AGAIN,
                   "copies")),
    "suspects": ((GOOD, audit_of(SUSPECT), ()),
                 Step("Check the labels of 1 photo in audit.csv, train again", AGAIN, "labels")),
    "more photos": ((GOOD, None, ("roses", "tulips", "daisy")),
                    Step("Add photos of roses, tulips and 1 more, train again", AGAIN, "more")),
    "mistakes": ((GOOD, None, ()), Step("Look at 10 mistakes", "", "mistakes")),
    "another network": ((GOOD, None, ()),
                        Step("See if a larger network does better",
                             "retrain modules compare small large --image_dir 'my flowers'")),
    "no test photo": ((NONE, None, ()),
                      Step("Keep photos for a test",
                           "retrain --config run.json --testing_percentage 20")),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_each_step_has_its_reason_and_its_command(name: str) -> None:
    (confusion, audit, growing), step = STEPS[name]
    found = next_steps(metrics_of(confusion), PLACES, audit=audit, growing=growing)
    assert step in found


def test_copies_are_kept_in_one_set_where_the_run_divides_the_photos() -> None:
    places = replace(PLACES, regroups=True)
    scene = replace(LEAK, kind="same_scene", severity="note")
    (step, *_) = next_steps(metrics_of(GOOD), places, audit=audit_of(LEAK, scene))
    assert step == Step("Keep copies and bursts in one set (2 pairs in two)",
                        f"{AGAIN} --keep_together duplicates", "copies")  # fmt: skip


def test_a_clean_result_asks_for_nothing_and_what_is_urgent_comes_first() -> None:
    perfect = [[9, 0, 0], [0, 9, 0], [0, 0, 9]]
    assert next_steps(metrics_of(perfect), PLACES, audit=audit_of()) == ()
    found = next_steps(metrics_of(WEAK), PLACES, audit=audit_of(SUSPECT, LEAK), growing=("roses",))
    assert [step.section for step in found] == ["copies", "labels", "more", "mistakes", ""]
    steps = judge(metrics_of(WEAK), found, PLACES.use).steps
    assert steps == (*found[:2], Step("Use it", "label-image --graph g.pb PHOTO"))
