"""What notebooks show of a value: small pieces of HTML, with all text made harmless."""

from collections.abc import Iterable, Sequence
from html import escape

from retrain.utils.text import printable

BAR = "background:linear-gradient(90deg,#9ecae199 {share:.0%},transparent {share:.0%})"


def text_html(text: str) -> str:
    """Return a text that a page shows as it is, on one line."""
    return escape(printable(text))


def paragraph_html(text: str) -> str:
    """Return a paragraph of the text."""
    return f"<p>{text_html(text)}</p>"


def share_html(share: float) -> str:
    """Return the cell of a table for a share in [0, 1], with a bar behind it."""
    return f'<td style="{BAR.format(share=min(max(share, 0.0), 1.0))}">{share:.1%}</td>'


def table_html(headings: Sequence[str], rows: Iterable[Sequence[str | float]]) -> str:
    """Return a table; floats are shares in [0, 1]."""
    head = "".join(f"<th>{text_html(heading)}</th>" for heading in headings)
    body = "".join(
        "<tr>"
        + "".join(
            share_html(cell) if isinstance(cell, float) else f"<td>{text_html(cell)}</td>"
            for cell in row
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
