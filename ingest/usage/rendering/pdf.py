"""Makes the PDF of a document: A4, in a font that every reader has, and the same bytes each time."""

import io
from collections.abc import Sequence

from reportlab.pdfgen.canvas import Canvas

from ingest.serving.steps import Steps
from ingest.usage.rendering.sheet import Row, Sheet

_SIZE = (595.28, 841.89)  # A4, in points of 1/72 inch.
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, _SIZE[0] - 56.0, _SIZE[1] - 64.0, 64.0
_ITEM, _VALUE = _LEFT + 52, _LEFT + 88
_PLAIN, _BOLD = "Helvetica", "Helvetica-Bold"
_GREY = 0.35


def render(sheets: Sequence[Sheet]) -> Steps[bytes]:
    """Return the PDF of a document, or of two that belong together, with a yield after each row."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=_SIZE, invariant=1)  # No time, and an id from the content.
    canvas.setTitle(sheets[0].title)
    canvas.setAuthor("nocontent")
    for sheet in sheets:
        page = _Page(canvas)
        page.write_head(sheet)
        for row in sheet.rows:
            page.write_row(row)
            yield
        page.write_total(sheet.total)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


class _Page:
    """Writes from the top of a page down, and goes on at the top of the next."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._y = _TOP

    def write_head(self, sheet: Sheet) -> None:
        self._write(_BOLD, 18, (_LEFT, sheet.title))
        self._down(26)
        for name, value in sheet.facts:
            self._write(_PLAIN, 9, (_LEFT, name), grey=_GREY)
            self._write(_PLAIN, 9, (_VALUE, value))
            self._down(14)
        self._rule()

    def write_row(self, row: Row) -> None:
        self._down(18)
        self._write(_PLAIN, 10, (_LEFT, row.month), (_ITEM, row.text))
        self._canvas.drawRightString(_RIGHT, self._y, row.amount)
        detail = " × ".join(part for part in (row.quantity, row.rate) if part)
        if detail:
            self._down(12)
            self._write(_PLAIN, 8, (_ITEM, detail), grey=_GREY)

    def write_total(self, total: str) -> None:
        self._rule()
        self._down(18)
        self._write(_BOLD, 11, (_LEFT, "Total"))
        self._canvas.drawRightString(_RIGHT, self._y, total)

    def _write(self, font: str, size: int, *texts: tuple[float, str], grey: float = 0.0) -> None:
        self._canvas.setFont(font, size)
        self._canvas.setFillGray(grey)
        for x, text in texts:
            self._canvas.drawString(x, self._y, text)

    def _rule(self) -> None:
        self._down(8)
        self._canvas.setLineWidth(0.5)
        self._canvas.line(_LEFT, self._y, _RIGHT, self._y)

    def _down(self, points: float) -> None:
        if self._y - points < _BOTTOM:
            self._canvas.showPage()
            self._y = _TOP
        else:
            self._y -= points
