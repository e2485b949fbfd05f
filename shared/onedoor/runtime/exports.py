"""Tables as files for spreadsheets: CSV and XLSX, the same rows in both."""

import csv
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any, Literal

from fastapi.responses import Response

from onedoor.calendar import local

Format = Literal["csv", "xlsx"]

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv; charset=utf-8"
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so is run by spreadsheets as a formula; an apostrophe before it keeps it a text."""
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""What no sheet can hold."""


def as_csv(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """UTF-8 with the mark by which spreadsheets know it; moments in Asia/Shanghai, nothing for None."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(heading)
    writer.writerows([_plain(value) for value in row] for row in rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def as_xlsx(title: str, heading: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """One sheet of that title; numbers stay numbers, moments become Asia/Shanghai without an offset."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.append(list(heading))
    for row in rows:
        sheet.append([_cell(value) for value in row])
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def download(
    format_: Format, name: str, title: str, heading: Sequence[str], rows: Iterable[Sequence[object]]
) -> Response:
    """The table as an HTTP answer that browsers keep as `name.csv` or `name.xlsx`; `name` in ASCII."""
    body = as_csv(heading, rows) if format_ == "csv" else as_xlsx(title, heading, rows)
    return attachment(body, CSV if format_ == "csv" else XLSX, f"{name}.{format_}")


def attachment(body: bytes, media_type: str, filename: str) -> Response:
    """A file as an HTTP answer; nobody between keeps a copy."""
    headers = {"Content-Disposition": f'attachment; filename="{filename}"', "Cache-Control": "no-store"}
    return Response(body, media_type=media_type, headers=headers)


def _plain(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{local(value):%Y-%m-%d %H:%M:%S}"
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _cell(value: object) -> Any:
    if isinstance(value, datetime):
        return local(value).replace(tzinfo=None)
    if isinstance(value, str):
        text = UNPRINTABLE.sub("", value)
        return f"'{text}" if text.startswith("=") else text
    return value if value is None or isinstance(value, int | float | Decimal) else str(value)
