"""Sheets people send and take: XLSX, CSV, TSV and JSON as rows of text, within limits that hold before all else.

Formulas are never evaluated: a cell is the value that lies in the file. What is written is text or a number, so that
no spreadsheet takes a cell for a formula.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import orjson

from mainspring.core.text import Text
from mainspring.records.faults import Invalid
from mainspring.records.importing.formulas import meant, neutral

FILE_BYTES_MAX: Final = 16 * 1024 * 1024
UNPACKED_BYTES_MAX: Final = 256 * 1024 * 1024
KEPT_BYTES_MAX: Final = 32 * 1024 * 1024
"""So large at most are the rows that are kept beside a file."""
PARTS_MAX: Final = 2000
ROWS_MAX: Final = 200_000
COLUMNS_MAX: Final = 200
CELLS_MAX: Final = 8_000_000
"""Cells of a workbook's rectangle, which readers lay out as a whole."""
TEXT_BYTES_MAX: Final = 64 * 1024 * 1024
"""Text of a workbook's cells: one long text that lies in it once can stand in any number of them."""
CELL_MAX: Final = 32_767
"""Characters of one cell, as many as spreadsheets keep; the rest is cut, and too long for any field."""
_CHUNK: Final = 256 * 1024
CSV_PIECE: Final = 64 * 1024
"""Characters that are written at once: a line by itself takes longer on its way than to be made."""
_OVERLAP: Final = 200
"""Bytes of a part that are looked at again with the next: longer than a cell's tag, and few beside a part."""
_WORKBOOK: Final = "xl/workbook.xml"
_STRINGS: Final = "xl/sharedStrings.xml"
_PLACE: Final = re.compile(rb"""\br\s*=\s*["']([A-Z]{0,4})(\d{1,8})["']""")
"""Where a cell or a row lies; rows have no letters."""
_STRING_ENDS: Final = re.compile(rb"</(?:[^<>/\s]+:)?si>|<(?:[^<>/\s]+:)?si/>")
_STRING_USED: Final = re.compile(rb"""\bt=["']s["'][^>]*>\s*<(?:[^<>/\s]+:)?v>\s*(\d{1,9})\s*<""")
_LETTERS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")

_EMPTY: Final = Text("The file {name} has no rows.", "文件 {name} 没有任何行。")
_NOT_A_SHEET: Final = Text(
    "{name} is not a sheet. Save it as XLSX or CSV and choose it again.",
    "{name} 不是表格文件，请另存为 XLSX 或 CSV 后重新选择。",
)
_NO_OBJECTS: Final = Text(
    "{name} is no list of objects, such as [{{...}}, {{...}}].", "{name} 不是对象列表，如 [{{...}}, {{...}}]。"
)
_OLD: Final = Text(
    "{name} is an old or password-protected workbook. Save it as XLSX without a password.",
    "{name} 是旧版或加密的工作簿，请另存为无密码的 XLSX。",
)
_DAMAGED: Final = Text("{name} is damaged ({reason}). Save it again.", "{name} 已损坏（{reason}），请重新保存。")
_TOO_MANY_ROWS: Final = Text(
    "{name} has more than {limit} rows. Send it in parts.", "{name} 超过 {limit} 行，请分批导入。"
)
_TOO_MANY_COLUMNS: Final = Text(
    "{name} has more than {limit} columns. Remove those that are not needed.",
    "{name} 超过 {limit} 列，请删除不需要的列。",
)
_TOO_MANY_CELLS: Final = Text(
    "{name} reaches over more than {limit} cells. Remove columns that are not needed, or send it in parts.",
    "{name} 超过 {limit} 个单元格，请删除不需要的列或分批导入。",
)
_TOO_MUCH_TEXT: Final = Text(
    "The texts of {name} are longer than {limit} MB together. Shorten them, or send it in parts.",
    "{name} 中的文字合计超过 {limit} MB，请缩短或分批导入。",
)
_TOO_LARGE: Final = Text(
    "{name} unpacks to more than {limit} MB. Send it in parts, or as CSV.",
    "{name} 解压后超过 {limit} MB，请分批或以 CSV 发送。",
)


class NotASheet(Invalid):
    """A file cannot be taken, in one sentence: what it is, or which limit it passes."""

    def __init__(self, form: Text, **values: Any) -> None:
        text = form.format(**values)
        super().__init__({"file": text}, text)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows of text, the first being the head; `numbers` are the rows' numbers in the file, counted from 1."""

    head: list[str]
    rows: list[list[str]]
    numbers: list[int]


def read_sheet(content: bytes, name: str) -> Sheet:
    """Read a file into rows of text; raises NotASheet in one sentence."""
    if content.startswith(b"PK\x03\x04"):
        found = _xlsx(content, name)
    elif content.startswith(b"\xd0\xcf\x11\xe0"):
        raise NotASheet(_OLD, name=name)
    elif name.lower().endswith(".json"):
        found = _json(content, name)
    else:
        found = _text(content, name)
    head: list[str] | None = None
    rows: list[list[str]] = []
    numbers: list[int] = []
    for number, cells in enumerate(found, 1):
        if len(cells) > COLUMNS_MAX and any(cells[COLUMNS_MAX:]):
            raise NotASheet(_TOO_MANY_COLUMNS, name=name, limit=COLUMNS_MAX)
        if not any(cells):
            continue
        if head is None:
            head = cells[:COLUMNS_MAX]
            continue
        if len(rows) >= ROWS_MAX:
            raise NotASheet(_TOO_MANY_ROWS, name=name, limit=ROWS_MAX)
        rows.append(cells[:COLUMNS_MAX])
        numbers.append(number)
    if head is None:
        raise NotASheet(_EMPTY, name=name)
    return Sheet(head, rows, numbers)


def read_once(file: Path, name: str) -> Sheet:
    """Read a file that never changes; its rows are kept beside it, for to read them takes a tenth of the time."""
    kept = file.with_name("rows.json")
    if kept.exists():
        return Sheet(*orjson.loads(kept.read_bytes()))
    sheet = read_sheet(file.read_bytes(), name)
    part = kept.with_suffix(".part")
    # Half a sign, as JSON can have it, is no text to keep; a full disk keeps nothing, and hinders nobody from reading.
    with suppress(orjson.JSONEncodeError, OSError):
        rows = orjson.dumps([sheet.head, sheet.rows, sheet.numbers])
        if len(rows) <= KEPT_BYTES_MAX:
            part.write_bytes(rows)
            part.replace(kept)
    with suppress(OSError):
        part.unlink(missing_ok=True)
    return sheet


def _xlsx(content: bytes, name: str) -> Iterator[list[str]]:
    import python_calamine

    _refuse_bomb(content, name)
    try:
        workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        for sheet_name in workbook.sheet_names:
            sheet = workbook.get_sheet_by_name(sheet_name)
            if sheet.height:
                # Rows above the first filled one are not in the sheet, but count for people.
                yield from ([] for _ in range(sheet.start[0] if sheet.start else 0))
                yield from ([_cell(value) for value in row] for row in sheet.iter_rows())
                return
    except python_calamine.CalamineError as error:
        raise NotASheet(_DAMAGED, name=name, reason=type(error).__name__) from error


def _refuse_bomb(content: bytes, name: str) -> None:
    """Unpack every part once without keeping it: what a file says of its own size is not believed."""
    try:
        parts = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except zipfile.BadZipFile as error:
        raise NotASheet(_DAMAGED, name=name, reason=str(error)) from error
    if _WORKBOOK not in {part.filename for part in parts}:
        raise NotASheet(_NOT_A_SHEET, name=name)
    left = UNPACKED_BYTES_MAX
    laid_out = _LaidOut(name)
    # Strings come first, wherever they lie: what a sheet holds of them is counted with it.
    for part in sorted(parts, key=lambda part: part.filename != _STRINGS):
        is_sheet = part.filename.startswith("xl/worksheets/")
        tail = b""
        for chunk in _unpacked(content, part, name):
            left -= len(chunk)
            if left < 0 or len(parts) > PARTS_MAX:
                raise NotASheet(_TOO_LARGE, name=name, limit=UNPACKED_BYTES_MAX // 2**20)
            if is_sheet:
                tail = laid_out.sheet(tail + chunk)
            elif part.filename == _STRINGS:
                tail = laid_out.strings(tail + chunk)
        laid_out.end_of_sheet()


def _unpacked(content: bytes, part: zipfile.ZipInfo, name: str) -> Iterator[bytes]:
    header = content[part.header_offset : part.header_offset + 30]
    if len(header) < 30:
        raise NotASheet(_DAMAGED, name=name, reason="header")
    start = part.header_offset + 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    packed = memoryview(content)[start : start + part.compress_size]
    if part.compress_type == zipfile.ZIP_STORED:
        yield bytes(packed)
        return
    if part.compress_type != zipfile.ZIP_DEFLATED:
        raise NotASheet(_DAMAGED, name=name, reason="compression")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        chunk = inflater.decompress(packed, _CHUNK)
        while chunk:
            yield chunk
            chunk = inflater.decompress(inflater.unconsumed_tail, _CHUNK)
    except zlib.error as error:
        raise NotASheet(_DAMAGED, name=name, reason="compression") from error


class _LaidOut:
    """What a workbook takes in memory once it is laid out: the rectangle up to its last cell, and its texts."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lengths = array("Q")
        self._open = 0
        self._rows = self._columns = self._text_bytes = 0

    def strings(self, part: bytes) -> bytes:
        """Measure the strings that end in a part; returns what belongs to the next."""
        start = 0
        for found in _STRING_ENDS.finditer(part):
            self._lengths.append(self._open + found.end() - start)
            self._open, start = 0, found.end()
        if len(self._lengths) > CELLS_MAX:
            raise NotASheet(_TOO_MANY_CELLS, name=self._name, limit=CELLS_MAX)
        rest = part[max(start, len(part) - _OVERLAP) :]
        self._open += len(part) - start - len(rest)
        return rest

    def sheet(self, part: bytes) -> bytes:
        """Measure cells, and refuse those far out; returns what belongs to the next part."""
        places = _PLACE.findall(part)
        if places:
            self._rows = max(self._rows, *(int(row) for _, row in places))
            self._columns = max(self._columns, *(_column_number(letters) for letters in {each for each, _ in places}))
        for index in _STRING_USED.findall(part):
            self._text_bytes += self._lengths[int(index)] if int(index) < len(self._lengths) else 0
        if self._rows > ROWS_MAX + 1:
            raise NotASheet(_TOO_MANY_ROWS, name=self._name, limit=ROWS_MAX)
        if self._columns > COLUMNS_MAX:
            raise NotASheet(_TOO_MANY_COLUMNS, name=self._name, limit=COLUMNS_MAX)
        if self._rows * self._columns > CELLS_MAX:
            raise NotASheet(_TOO_MANY_CELLS, name=self._name, limit=CELLS_MAX)
        if self._text_bytes > TEXT_BYTES_MAX:
            raise NotASheet(_TOO_MUCH_TEXT, name=self._name, limit=TEXT_BYTES_MAX // 2**20)
        return part[-_OVERLAP:]

    def end_of_sheet(self) -> None:
        """Begin another sheet."""
        self._rows = self._columns = self._text_bytes = 0


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()[:CELL_MAX]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def _text(content: bytes, name: str) -> Iterator[list[str]]:
    text = _decoded(content, name)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max("\t,;", key=lambda sign: (first.count(sign), sign == ","))
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            yield [meant(cell.strip()[:CELL_MAX]) for cell in row]
    except csv.Error as error:
        raise NotASheet(_DAMAGED, name=name, reason=str(error)) from error


def _json(content: bytes, name: str) -> Iterator[list[str]]:
    """Read a list of objects, or the `items` of one: their fields are the head, each language of a text is one."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise NotASheet(_DAMAGED, name=name, reason="JSON") from error
    rows = found.get("items") if isinstance(found, dict) else found
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise NotASheet(_NO_OBJECTS, name=name)
    flat = [_flat(row) for row in rows]
    head = list(dict.fromkeys(key for row in flat for key in row))
    yield head
    for row in flat:
        yield [row.get(key, "") for key in head]


def _flat(row: dict[str, Any]) -> dict[str, str]:
    cells: dict[str, str] = {}
    for key, value in row.items():
        if isinstance(value, dict) and value and value.keys() <= {"en", "zh"}:
            cells |= {f"{key}.{language}": _cell(text) for language, text in value.items() if text is not None}
        elif isinstance(value, dict | list):
            cells[key] = json.dumps(value, ensure_ascii=False)[:CELL_MAX]
        elif value is not None:
            cells[key] = _cell(value)
    return cells


def _decoded(content: bytes, name: str) -> str:
    """Return the text of a file: UTF-8, UTF-16 with its mark, or GB 18030, which Chinese Excel writes."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif b"\0" in content[:4096]:
        raise NotASheet(_NOT_A_SHEET, name=name)
    else:
        encodings = ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _LETTERS.search(text[:4096]):
            return text
    raise NotASheet(_NOT_A_SHEET, name=name)


Cell = str | int | float | Decimal


def csv_lines(rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """Write rows as CSV in pieces; cells that a spreadsheet would evaluate get an apostrophe before them."""
    piece = io.StringIO()
    piece.write("\ufeff")
    for row in rows:
        csv.writer(piece).writerow([_neutral(cell) for cell in row])
        if piece.tell() >= CSV_PIECE:
            yield piece.getvalue().encode()
            piece = io.StringIO()
    yield piece.getvalue().encode()


def _neutral(cell: Cell) -> Any:
    if not isinstance(cell, str):
        return cell
    try:
        # A number is what a spreadsheet makes of it anyway.
        float(cell)
    except ValueError:
        return neutral(cell)
    return cell


_PARTS: Final = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/xl/workbook.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Target="xl/workbook.xml" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>',
    _WORKBOOK: '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    '<sheets><sheet name="tags" sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Target="worksheets/sheet1.xml" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"/></Relationships>',
}
_SECOND: Final = {
    "[Content_Types].xml": (
        "</Types>",
        '<Override PartName="/xl/worksheets/sheet2.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>',
    ),
    _WORKBOOK: ("</sheets>", '<sheet name="{title}" sheetId="2" r:id="r2"/>'),
    "xl/_rels/workbook.xml.rels": (
        "</Relationships>",
        '<Relationship Id="r2" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
        'Target="worksheets/sheet2.xml"/>',
    ),
}
"""What a second sheet adds to a part of a workbook, and before what."""
_ROWS_AT_ONCE: Final = 1000
_XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def xlsx_file(rows: Iterable[Sequence[Cell]], notes: tuple[str, Iterable[Sequence[Cell]]] | None = None) -> bytes:
    """Write rows as a workbook; every cell is text or a number, which no spreadsheet evaluates.

    `notes` are title and rows of a second sheet, which is not read back.
    """
    return b"".join(xlsx_parts(rows, notes))


def xlsx_parts(
    rows: Iterable[Sequence[Cell]], notes: tuple[str, Iterable[Sequence[Cell]]] | None = None
) -> Iterator[bytes]:
    """Write a workbook piece by piece, as its rows come."""
    drain = _Drain()
    with zipfile.ZipFile(drain, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in _PARTS.items():
            archive.writestr(name, _XML + (body if notes is None else _with_second(name, body, notes[0])))
        for place, lines in enumerate((rows, notes[1]) if notes is not None else (rows,), 1):
            for _ in _write_sheet(archive, place, lines):
                yield drain.take()
    yield drain.take()


class _Drain(io.RawIOBase):
    """A file that only goes forward and gives away what was written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:
        self._parts.append(bytes(part))
        return len(self._parts[-1])

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def _with_second(part: str, body: str, title: str) -> str:
    before, added = _SECOND.get(part, ("", ""))
    return body.replace(before, added.format(title=escape(title)) + before) if before else body


def _write_sheet(archive: zipfile.ZipFile, place: int, rows: Iterable[Sequence[Cell]]) -> Iterator[None]:
    """Write the rows of a sheet; yields now and then, when what was written can be taken away."""
    with archive.open(f"xl/worksheets/sheet{place}.xml", "w") as sheet:
        sheet.write(_XML.encode())
        sheet.write(b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>')
        for number, row in enumerate(rows, 1):
            cells = "".join(_written(number, column, cell) for column, cell in enumerate(row) if cell != "")
            sheet.write(f'<row r="{number}">{cells}</row>'.encode())
            if number % _ROWS_AT_ONCE == 0:
                yield
        sheet.write(b"</sheetData></worksheet>")


def _written(row: int, place: int, cell: Cell) -> str:
    letters = ""
    place += 1
    while place:
        place, digit = divmod(place - 1, 26)
        letters = chr(65 + digit) + letters
    if not isinstance(cell, str) and not _loses_digits(cell):
        return f'<c r="{letters}{row}"><v>{cell}</v></c>'
    text = escape(_LETTERS.sub("", str(cell)))
    return f'<c r="{letters}{row}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _loses_digits(cell: float | Decimal) -> bool:
    """Tell whether a number has more digits than spreadsheets keep of one: as text it stays whole."""
    return isinstance(cell, Decimal) and Decimal(repr(float(cell))) != cell
