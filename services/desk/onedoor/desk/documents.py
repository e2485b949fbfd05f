"""Tables as documents that an office can go on writing in (DOCX)."""

from collections.abc import Iterable, Sequence
from io import BytesIO

from fastapi.responses import Response

from onedoor.runtime.exports import attachment

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

Table = tuple[str | None, Sequence[str], Sequence[Sequence[object]]]
"""A heading or none, the names of the columns, and the rows."""


def as_docx(title: str, intro: str, tables: Iterable[Table]) -> bytes:
    """A landscape page: the title, a paragraph where there is one, and the tables, each under its heading."""
    from docx import Document
    from docx.enum.section import WD_ORIENT

    document = Document()
    section = document.sections[0]
    section.orientation = WD_ORIENT.LANDSCAPE
    section.page_width, section.page_height = section.page_height, section.page_width
    document.core_properties.author = "OneDoor"
    document.add_heading(title, 1)
    if intro:
        document.add_paragraph(intro)
    for heading, names, rows in tables:
        if heading:
            document.add_heading(heading, 2)
        table = document.add_table(rows=1, cols=len(names), style="Light Grid Accent 1")
        for row in (names, *rows):
            cells = table.rows[0].cells if row is names else table.add_row().cells
            for cell, value in zip(cells, row, strict=True):
                cell.text = "" if value is None else str(value)
    file = BytesIO()
    document.save(file)
    return file.getvalue()


def download(name: str, title: str, intro: str, tables: Iterable[Table]) -> Response:
    """The document as an answer that browsers keep as `name.docx`; `name` in ASCII."""
    return attachment(as_docx(title, intro, tables), DOCX, f"{name}.docx")
