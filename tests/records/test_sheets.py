"""Files people send: read as text, refused in one sentence, never unpacked beyond a limit, never evaluated."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
import python_calamine
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import MainspringError
from mainspring.core.units import code_of
from mainspring.records.importing import sheets, tag_sheet
from mainspring.records.importing.sheets import NotASheet, csv_lines, read_once, read_sheet, xlsx_file
from mainspring.records.importing.tag_columns import Layout, guess

ROWS = [["Name", "单位", "Gain"], ["TI-1", "°C", "0.1"], ["", "", ""], ["=1+1", "<&>", '"q"']]


def parts_of(sheet: str, **more: bytes) -> bytes:
    """Make a workbook around the XML of its one sheet."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(xlsx_file([["a"]]))) as made,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in made.namelist():
            new.writestr(name, sheet if name.endswith("sheet1.xml") else made.read(name))
        for name, body in more.items():
            new.writestr(name, body)
    return out.getvalue()


def cells(inner: str) -> str:
    head = '<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    return f"{head}<sheetData>{inner}</sheetData></worksheet>"


def test_a_workbook_of_ours_reads_as_it_was_written() -> None:
    sheet = read_sheet(xlsx_file(ROWS), "a.xlsx")
    assert sheet.head == ROWS[0]
    assert sheet.rows == [ROWS[1], ROWS[3]]
    assert sheet.numbers == [2, 4]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_text_in_the_encodings_and_delimiters_of_spreadsheets(encoding: str, delimiter: str) -> None:
    text = "\n".join(delimiter.join(row) for row in (("位号", "单位"), ("温度一", "Cel")))
    sheet = read_sheet(text.encode(encoding), "a.csv")
    assert (sheet.head, sheet.rows) == (["位号", "单位"], [["温度一", "Cel"]])


def test_numbers_read_as_people_see_them_and_formulas_as_their_stored_value() -> None:
    row = (
        '<row r="1"><c r="A1"><v>1</v></c><c r="B1"><v>2</v></c><c r="C1"><v>3</v></c></row>'
        '<row r="2"><c r="A2"><v>40001</v></c><c r="B2"><v>0.1</v></c><c r="C2"><f>1+1</f><v>7</v></c></row>'
    )
    assert read_sheet(parts_of(cells(row)), "a.xlsx").rows == [["40001", "0.1", "7"]]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "not a sheet"),
        (b"PK\x03\x04 and nothing", "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "password"),
        (b"", "no rows"),
        (b"\n\n,,\n", "no rows"),
        (bytes(range(1, 32)), "not a sheet"),
    ],
)
def test_a_wrong_file_is_one_sentence(content: bytes, says: str) -> None:
    with pytest.raises(NotASheet, match=says) as caught:
        read_sheet(content, "photo.xlsx")
    assert "photo.xlsx" in caught.value.text.zh


def test_a_zip_that_is_no_workbook_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("letter.txt", "hello")
    with pytest.raises(NotASheet, match="not a sheet"):
        read_sheet(out.getvalue(), "a.zip")


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "UNPACKED_BYTES_MAX", 4 * 2**20)
    bomb = parts_of(cells(" " * (8 * 2**20)))
    assert len(bomb) < 2**16
    with pytest.raises(NotASheet, match="unpacks to more"):
        read_sheet(bomb, "bomb.xlsx")


def test_a_bomb_that_lies_about_its_size_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "UNPACKED_BYTES_MAX", 4 * 2**20)
    bomb = bytearray(parts_of(cells(" " * (8 * 2**20))))
    size = (8 * 2**20 + len(cells(""))).to_bytes(4, "little")
    while (place := bomb.find(size)) >= 0:
        bomb[place : place + 4] = (100).to_bytes(4, "little")
    with pytest.raises(NotASheet, match="unpacks to more"):
        read_sheet(bytes(bomb), "bomb.xlsx")


@pytest.mark.parametrize(
    ("far_out", "says"),
    [
        ('<row><c r="A1048576"><v>1</v></c></row>', "rows"),
        ('<row><c r="XFD1"><v>1</v></c></row>', "columns"),
        ("<row><c r = 'XFD1'><v>1</v></c></row>", "columns"),
        ('<row r="1048576"><c><v>1</v></c></row>', "rows"),
    ],
)
def test_one_cell_far_out_does_not_lay_out_the_whole_rectangle(far_out: str, says: str) -> None:
    far = cells(f'<row r="1"><c r="A1"><v>1</v></c></row>{far_out}')
    with pytest.raises(NotASheet, match=says):
        read_sheet(parts_of(far), "far.xlsx")


def test_a_long_text_that_lies_there_once_and_stands_everywhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    strings = f"<sst><si><t>{'x' * 2**20}</t></si><si><t>short</t></si></sst>".encode()

    def workbook(index: int) -> bytes:
        rows = "".join(f'<row r="{n}"><c r="A{n}" s="1" t="s"><v>{index}</v></c></row>' for n in range(1, 200))
        return parts_of(cells(rows), **{"xl/sharedStrings.xml": strings})

    assert len(workbook(0)) < 2**16
    with pytest.raises(NotASheet, match="longer than 64 MB"):
        read_sheet(workbook(0), "long.xlsx")
    monkeypatch.setattr(sheets, "_CHUNK", 1000)
    with pytest.raises(NotASheet, match="longer than 64 MB"):
        read_sheet(workbook(0), "long.xlsx")
    sheets._refuse_bomb(workbook(1), "short.xlsx")


def test_a_wide_and_long_rectangle_is_refused_although_its_cells_are_few() -> None:
    far = cells('<row r="1"><c r="GR1"><v>1</v></c></row><row r="200000"><c r="A200000"><v>1</v></c></row>')
    with pytest.raises(NotASheet, match="8000000 cells"):
        read_sheet(parts_of(far), "far.xlsx")


def test_too_many_rows_and_columns_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "ROWS_MAX", 3)
    assert len(read_sheet(b"a\n1\n2\n3\n", "a.csv").rows) == 3
    with pytest.raises(NotASheet, match="3 rows"):
        read_sheet(b"a\n1\n2\n3\n4\n", "a.csv")
    with pytest.raises(NotASheet, match="200 columns"):
        read_sheet(",".join(["x"] * 201).encode(), "a.csv")


def test_what_is_written_is_never_a_formula() -> None:
    rows = [["=cmd()", "+1+1", "-2", "@x", "\t=1", "plain"]]
    written = b"".join(csv_lines(rows)).decode("utf-8-sig")
    assert written == "'=cmd(),'+1+1,-2,'@x,'\t=1,plain\r\n"
    with zipfile.ZipFile(io.BytesIO(xlsx_file(rows))) as made:
        body = made.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in body
    assert body.count('t="inlineStr"') == 6


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_in_words(content: bytes) -> None:
    try:
        read_sheet(content, "a")
    except MainspringError as error:
        assert error.text.zh


def test_a_sheet_beside_is_written_and_not_read() -> None:
    file = xlsx_file([["a"], ["1"]], ("Example & more", [["not", "read"]]))
    sheet = read_sheet(file, "two.xlsx")
    assert (sheet.head, sheet.rows) == (["a"], [["1"]])
    workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(file))
    assert workbook.sheet_names == ["tags", "Example & more"]
    assert workbook.get_sheet_by_index(1).to_python() == [["not", "read"]]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_example_beside_the_empty_sheet_is_one_that_an_import_takes(language: str) -> None:
    rows = tag_sheet.notes("modbus-tcp", language)
    head, example = rows[1], rows[2]
    assert head == tag_sheet.head("modbus-tcp", language)
    assert len(example) == len(head)
    layout = Layout({column: found.field for column, found in enumerate(guess(head)) if found.field})
    row = layout.row(example)
    assert (row["name"], row["kind"], row["limits"]["HH"]) == ("TI-101", "float64", "100")
    assert code_of(row["unit"]) == "Cel"


def test_a_file_is_read_once(tmp_path: Path) -> None:
    file = tmp_path / "upload"
    file.write_bytes(xlsx_file(ROWS))
    first = read_once(file, "a.xlsx")
    assert first == read_sheet(xlsx_file(ROWS), "a.xlsx")
    file.unlink()
    assert read_once(file, "a.xlsx") == first


def test_a_disk_without_room_hinders_nobody_from_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "upload"
    file.write_bytes(xlsx_file(ROWS))
    (tmp_path / "rows.part").mkdir()
    assert read_once(file, "a.xlsx") == read_sheet(xlsx_file(ROWS), "a.xlsx")
    (tmp_path / "rows.part").rmdir()
    monkeypatch.setattr(sheets, "KEPT_BYTES_MAX", 10)
    read_once(file, "a.xlsx")
    assert list(tmp_path.iterdir()) == [file], "too large to be kept"


def test_half_a_sign_is_read_again_each_time(tmp_path: Path) -> None:
    file = tmp_path / "upload"
    file.write_text(r'[{"name": "\ud83d"}]')
    assert read_once(file, "a.json").rows == [["\ud83d"]]
    assert list(tmp_path.iterdir()) == [file]
