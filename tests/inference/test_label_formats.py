"""Rows as text, tables and JSON, to the letter."""

import pytest

from retrain.inference.answers import LabelledPhoto
from retrain.inference.writers import formatted

ROWS = [
    LabelledPhoto("a.jpg", [("daisy", 0.894554), ("red, rose", 0.1)]),
    LabelledPhoto("b.jpg", [], "the file is empty"),
    LabelledPhoto("c.jpg", [("unknown", 0.5), ("daisy", 0.5), ("red, rose", 0.4)]),
    LabelledPhoto("d.jpg", []),
]
WRITTEN = {
    "text": """a.jpg:
daisy (score=0.89455)
red, rose (score=0.10000)

b.jpg:

c.jpg:
unknown (score=0.50000)
daisy (score=0.50000)
red, rose (score=0.40000)

d.jpg:
""",
    "csv": """path,label,score,error,label_2,score_2
a.jpg,daisy,0.89455,,"red, rose",0.10000
b.jpg,,,the file is empty,,
c.jpg,unknown,0.50000,,daisy,0.50000
d.jpg,,,,,
""",
    "tsv": """path\tlabel\tscore\terror\tlabel_2\tscore_2
a.jpg\tdaisy\t0.89455\t\tred, rose\t0.10000
b.jpg\t\t\tthe file is empty\t\t
c.jpg\tunknown\t0.50000\t\tdaisy\t0.50000
d.jpg\t\t\t\t\t
""",
    "jsonl": """\
{"path": "a.jpg", "labels": [{"label": "daisy", "score": 0.89455}, {"label": "red, rose", \
"score": 0.1}], "error": null}
{"path": "b.jpg", "labels": [], "error": "the file is empty"}
{"path": "c.jpg", "labels": [{"label": "unknown", "score": 0.5}, {"label": "daisy", \
"score": 0.5}, {"label": "red, rose", "score": 0.4}], "error": null}
{"path": "d.jpg", "labels": [], "error": null}
""",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_each_format_is_written_as_its_documentation_says(name: str) -> None:
    assert "".join(formatted(ROWS, name, titled=True, labels=2)) == WRITTEN[name]


def test_a_table_of_one_label_has_four_columns() -> None:
    pieces = list(formatted(ROWS[:1], "csv", titled=True, labels=1))
    assert pieces == ["path,label,score,error\n", "a.jpg,daisy,0.89455,\n"]


def test_json_is_the_lines_in_an_array() -> None:
    lines = WRITTEN["jsonl"].splitlines()
    text = "".join(formatted(ROWS, "json", titled=True, labels=2))
    assert text == "[\n" + ",\n".join(lines) + "\n]\n"
    assert "".join(formatted([], "json", titled=True, labels=2)) == "[\n]\n"
