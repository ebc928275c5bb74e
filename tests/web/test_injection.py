"""What someone sends to be taken for something else: SQL, markup, paths, headers, entities, formulas, signs unseen."""

from __future__ import annotations

import ast
import csv
import io
import json
import subprocess
import sys
import zipfile
from html import escape
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
from asgiref.sync import async_to_sync
from tests.records import ground
from tests.records.plant import asset, author, tag
from tests.records.test_events import STEEL, arrival, document
from tests.web.asking import ITEMS, PNG, Keeper, whole

import mainspring
from mainspring.records.audit import AuditEntry
from mainspring.records.business.item import Item
from mainspring.records.importing.formulas import meant, neutral
from mainspring.records.importing.sheets import csv_lines, read_sheet, xlsx_file
from mainspring.records.plant import device
from mainspring.records.plant.device import DeviceDraft
from mainspring.records.tenant import Tenant

SQL: Final = (
    "' OR '1'='1", "'; DROP TABLE records_item; --", '" OR ""="', "1) UNION SELECT password FROM records_user --",
    "%' OR 1=1 --", "\\'; --", "x' || (SELECT 1) || '", "0; SELECT pg_sleep(9)",
)  # fmt: skip
TEMPLATES: Final = (
    "{{7*7}}", "${7*7}", "#{7*7}", "<%= 7*7 %>", "{0.__class__.__mro__}", "{kind.__init__.__globals__}", "%(kind)s",
    "{kind!r:>9999999}", "{% include '/etc/passwd' %}",
)  # fmt: skip
PATHS: Final = ("../../../etc/passwd", "..\\..\\etc\\passwd", "/etc/passwd", "....//....//etc/passwd", "%2e%2e/etc")
MARKUP: Final = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)", "<svg/onload=x>")
FORMULAS: Final = (
    "=cmd|'/c calc'!A1", "+1+cmd()", "-2+3+cmd()", "@SUM(A1)", "\t=1+1", '=HYPERLINK("http://x","y")', "＝1+1",
    "'=1+1", "''@x", "=1\n=2",
)  # fmt: skip
UNSEEN: Final = ("P\u202e1-", "P\u200b-1", "\ufeffP-1", "P\u2066-1\u2069", "P\u2060-1")
RAW: Final = f"/api/v1{ITEMS}"


# SQL


@pytest.mark.parametrize("text", SQL)
def test_sql_is_searched_for_and_never_run(asking: Keeper, plant: Tenant, text: str) -> None:
    made = asking.item("P-1")
    for path in ("assets", "tags", "connections", "users", "tokens", "devices", "alarm-definitions", "audit"):
        assert asking.get(f"/{path}", search=text)["items"] == [], path
    assert asking.get("/search", q=text)["items"] == []
    assert asking.get(ITEMS, search=text)["items"] == []
    for name, value in (("sort", text), ("where", json.dumps([[text, "eq", "x"]])), ("after", text)):
        asking.get(ITEMS, 422, **{name: value})
    where = json.dumps([["number", "eq", text]])
    assert asking.get(ITEMS, where=where)["items"] == []
    assert asking.get(ITEMS, where=json.dumps([[f"label.{text}", "eq", text]]))["items"] == []
    asking.get(f"/records/{quote(text, safe='')}", 404)
    kept = asking.item(text[:64])
    assert asking.get(f"{ITEMS}/{kept['id']}")["number"] == text[:64]
    assert {row["id"] for row in asking.get(ITEMS)["items"]} == {made["id"], kept["id"]}


def test_wildcards_of_sql_are_themselves(asking: Keeper) -> None:
    asking.item("50%_A")
    asking.item("50 A")
    for text, found in (("5%A", []), ("50%_A", ["50%_A"]), ("50", ["50 A", "50%_A"])):
        assert [row["number"] for row in asking.get(ITEMS, search=text)["items"]] == found, text
    where = json.dumps([["number", "eq", "50%"]])
    assert asking.get(ITEMS, where=where)["items"] == []


# Templates


@pytest.mark.parametrize("text", TEMPLATES)
def test_placeholders_in_what_people_write_stay_as_they_are(asking: Keeper, text: str) -> None:
    made = asking("post", ITEMS, {"number": "P-1", "name": {"en": text, "zh": text}}, 201)
    assert made["name"] == {"en": text, "zh": text}
    refused = asking.get(ITEMS, 422, sort=text)
    assert text in refused["fields"]["sort"]["en"]
    page = asking.client.get(f"{RAW}/labels", {"ids": made["id"]})
    assert page.status_code == 200
    assert escape(text, quote=False) in page.content.decode() or escape(text) in page.content.decode()


# Paths


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_out_of_a_folder(asking: Keeper, path: str) -> None:
    made = asking.item()
    client, coded = asking.client, quote(path, safe="")
    for address in (
        f"/static/{path}", f"/static/{coded}", f"/api/v1/templates/{coded}", f"/api/v1/templates/{path}",
        f"/api/v1/blobs/{coded}", f"/api/v1/gateways/software/{coded}", f"/api/v1/imports/{coded}",
        f"{RAW}/{made['id']}/attachments/{coded}", f"/api/v1/records/{coded}",
    ):  # fmt: skip
        answer = client.get(address)
        assert answer.status_code in {401, 404}, (address, answer.status_code)
        assert b"root:" not in answer.content
    # A name is what is after the last slash, and never where the file lies.
    answer = client.post(f"{RAW}/{made['id']}/attachments?name={coded}.txt", b"text", "text/plain")
    if answer.status_code == 201:
        told = answer.json()
        assert "/" not in told["name"] and "\\" not in told["name"]
        kept = list((ground.FOLDER / "attachments" / "plant").rglob(told["sha256"]))
        assert [each.name for each in kept] == [told["sha256"]]
    toml = f'name = {json.dumps(path)}\ndriver = "modbus-tcp"\ntags = []\ntitle = {{en = "x"}}\n'
    assert client.post("/api/v1/templates", toml.encode(), "application/toml").status_code == 422


# Headers


@pytest.mark.parametrize(
    "name", ['a"\r\nX-Evil: 1.txt', "a\nSet-Cookie: x=1.txt", "a\x0bb.txt", 'a"; x="b.txt', "图.txt"]
)
def test_a_file_name_is_one_value_of_one_header(asking: Keeper, name: str) -> None:
    made = asking.item()
    files = f"{ITEMS}/{made['id']}/attachments"
    told = asking.sent(f"{files}?name={quote(name)}", b"text")
    answer = asking.client.get(f"/api/v1{files}/{told['id']}")
    disposition = answer["Content-Disposition"]
    assert disposition.startswith("attachment; filename")
    assert not set("\r\n\v") & set(disposition)
    assert "X-Evil" not in answer.headers and "x" not in answer.cookies
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_headers_that_say_nonsense_are_refused_or_passed_over(asking: Keeper) -> None:
    made = asking.item()
    one = f"{ITEMS}/{made['id']}"
    for name, value in (
        ("If-Match", "²"), ("If-Match", "9" * 500), ("X-As-Role", "\x00"), ("X-As-Role", "%"), ("X-As-Role", "%00"),
        ("X-As-Place", "x"), ("Cookie", 'sessionid="' + "\\000" * 9 + '"'), ("Authorization", "Bearer ms_\x00_x"),
        ("Accept", "*;q=\xff"), ("Content-Type", "application/json; charset=base64"), ("Cookie", "a=\x01; ="),
        ("Authorization", "Bearer \xff\xfe"), ("Authorization", "Bearer " + "x" * 5000), ("Authorization", "x"),
        ("Accept-Encoding", ",,;;="), ("X-Forwarded-For", "'; --"),
    ):  # fmt: skip
        for method, body in (("get", None), ("patch", {"version": 1})):
            sent = {"data": json.dumps(body), "content_type": "application/json"} if body else {}
            answer = getattr(asking.client, method)(f"/api/v1{one}", **sent, headers={name: value})
            assert answer.status_code < 500, (name, value, answer.content)


# Markup


@pytest.mark.parametrize("text", MARKUP)
def test_markup_in_names_is_shown_and_not_run(asking: Keeper, text: str) -> None:
    made = asking("post", ITEMS, {"number": "P-1", "name": {"en": text, "zh": ""}}, 201)
    page = asking.client.get(f"{RAW}/labels", {"ids": made["id"]})
    shown = page.content.decode()
    assert "<script>alert" not in shown and "<img src=x" not in shown and "<svg/onload" not in shown
    assert "default-src 'none'" in page["Content-Security-Policy"]
    assert asking.client.get(f"{RAW}/{made['id']}")["Content-Type"].startswith("application/json")
    assert text.encode() not in asking.client.get(f"/{quote(text)}").content


def test_documents_that_browsers_run_are_not_kept_or_never_shown(asking: Keeper) -> None:
    made = asking.item()
    files = f"{ITEMS}/{made['id']}/attachments"
    for name in (
        "a.html",
        "a.svg",
        "a.xhtml",
        "a.js",
        "a.exe",
        "a.sh",
        "a.py",
        "a.php",
        "a.png.html",
        "a",
        "a.txt.svg",
    ):
        asking.sent(f"{files}?name={name}", b"<svg onload=alert(1)>", 422)
    # What a name says does not count, nor what a browser would guess.
    asking.sent(f"{files}?name=a.png", b"<script>alert(1)</script>", 422)
    told = asking.sent(f"{files}?name=a.xml", b"<html xmlns='http://www.w3.org/1999/xhtml'><script/></html>")
    answer = asking.client.get(f"/api/v1{files}/{told['id']}")
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["X-Content-Type-Options"] == "nosniff"
    shown = asking.sent(f"{files}?name=a.png", PNG)
    assert asking.client.get(f"/api/v1{files}/{shown['id']}")["Content-Disposition"].startswith("attachment")


# XML

XML_BOMBS: Final = (
    '<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">]>{}&d;',
    '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>{}&b;',
    '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd">{}',
    '<!DOCTYPE a [<!ENTITY % b SYSTEM "http://127.0.0.1:9/x"> %b;]>{}',
)


@pytest.mark.parametrize("before", XML_BOMBS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_xml_declares_no_entities_and_fetches_nothing(asking: Keeper, before: str, encoding: str) -> None:
    inner = '<epcis:EPCISDocument xmlns:epcis="urn:epcglobal:epcis:xsd:2"><EPCISBody><EventList/></EPCISBody>'
    whole_ = before.replace("{}", inner) + "</epcis:EPCISDocument>"
    for path in ("capture", "events"):
        answer = asking.client.post(f"/api/v1/epcis/{path}", whole_.encode(encoding), "application/xml")
        assert answer.status_code in {400, 422}, answer.content
        assert b"root:" not in answer.content


def test_xml_has_a_depth_and_a_number_of_elements(asking: Keeper) -> None:
    for content in (b"<a>" * 100_000, b"<a>" + b"<b/>" * 600_000 + b"</a>", b"<a " + b"b='' " * 100_000 + b"/>"):
        answer = asking.client.post("/api/v1/epcis/capture", content, "application/xml")
        assert answer.status_code == 422, answer.content


# Bombs


def bomb(size: int) -> bytes:
    """Return a workbook of a few kilobytes whose sheet unpacks to so many bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(xlsx_file([["a"]]))) as made, zipfile.ZipFile(out, "w", 8, compresslevel=1) as new:
        for name in made.namelist():
            if not name.endswith("sheet1.xml"):
                new.writestr(name, made.read(name))
                continue
            with new.open(name, "w") as sheet:
                for _ in range(size // 2**20):
                    sheet.write(b" " * 2**20)
    return out.getvalue()


def test_what_unpacks_or_nests_without_end_is_refused_in_words(asking: Keeper) -> None:
    client = asking.client
    for name, content in (
        ("bomb.xlsx", bomb(300 * 2**20)), ("wide.csv", b"a\n" + b"x" * 15 * 2**20), ("deep.json", b"[" * 10**6),
        ("deep.json", b'{"a":' * 10**5), ("nul.csv", b"a,b\n\x00,1\n"), ("quote.csv", b'a,b\n"' + b"x" * 2**20),
    ):  # fmt: skip
        answer = client.post(f"/api/v1/imports/read?name={name}", content, "application/octet-stream")
        assert answer.status_code == 422, (name, answer.content[:300])
        assert answer.json()["text"]["zh"]
    assert client.post("/api/v1/samples/csv", b"path,time,value\n" + b"x" * 2**20, "text/csv").status_code == 422
    assert client.post("/api/v1/templates", b"a = " + b"[" * 10**5, "application/toml").status_code == 422
    assert client.post("/api/v1/templates", b"a = " + b"1" * 9999, "application/toml").status_code == 422


JSON_TRICKS: Final = (
    (b"[" * 100_000, 400), (b'{"a":' * 5000 + b"1" + b"}" * 5000, 400), (b'{"number": NaN}', 400),
    (b'{"weight": 1e999}', 400), (b'{"weight": ' + b"9" * 5000 + b"}", 400), (b'{"number": "\\ud800"}', 400),
    (b'{"number": "\\u0000"}', 400), (b'{"number": "\xed\xa0\x80"}', 400), (b'{"\\u0000": 1}', 400),
    (b"\xff\xfe{\x00}\x00", 400), (b'\xef\xbb\xbf{"number": "P"}', 400), (b'"text"', 422), (b"[]", 422), (b"null", 422),
    (b"", 422), (b'{"number": {"a": 1}}', 422), (b'{"number": ["P"]}', 422), (b"{", 400), (b"{} {}", 400),
)  # fmt: skip


@pytest.mark.parametrize(("body", "status"), JSON_TRICKS)
def test_json_that_nothing_can_keep_is_refused(asking: Keeper, body: bytes, status: int) -> None:
    answer = asking.client.post(RAW, body, "application/json")
    assert answer.status_code == status, answer.content
    told = answer.json()
    assert told["text"]["en"] and told["text"]["zh"]
    assert Item.objects.count() == 0


def test_a_number_stays_the_number_it_was(asking: Keeper) -> None:
    exact = "123456789012.123456"
    made = asking.item("P-1", weight=exact, notes="\\u0000 is written so")
    assert (made["weight"], made["notes"]) == (exact, "\\u0000 is written so")


def test_forms_and_multipart_are_no_way_around(asking: Keeper) -> None:
    for kind, body in (
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n'),
        ("multipart/form-data", b"x"), ("application/x-www-form-urlencoded", b"number=P"), ("text/plain", b"P"),
        ("application/x-www-form-urlencoded; charset=utf-7", b"a=b"), ("multipart/form-data; boundary=\xff", b"x"),
    ):  # fmt: skip
        for path in (RAW, "/api/v1/templates", "/api/v1/samples/csv"):
            answer = asking.client.post(path, body, kind)
            assert answer.status_code in {400, 403, 422}, (path, kind, answer.content)
        # A file is what was sent, byte for byte, whatever it is said to be.
        answer = asking.client.post("/api/v1/imports/read?name=a.csv", body, kind)
        assert answer.status_code == 200, answer.content
        assert answer.json()["rows"][0][0] == body.decode().splitlines()[0]


def test_addresses_hold_no_nul_and_not_any_number_of_parameters(asking: Keeper) -> None:
    for address in ("/api/v1/records/item%00", "/api/v1/templates/a%00b", "/static/a%00.js", "/%00"):
        assert asking.client.get(address).status_code == 404, address
    for address in ("/api/v1/assets?search=%00", f"{RAW}?search=a%00b", f"{RAW}?%00=1", f"{RAW}?from=%00"):
        answer = asking.client.get(address)
        assert answer.status_code == 422, address
        assert answer.json()["fields"]
    many = "&".join(f"a{number}=1" for number in range(2000))
    answer = asking.client.get(f"{RAW}?{many}")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/json")


# Signs unseen


@pytest.mark.parametrize("number", UNSEEN)
def test_a_key_holds_no_signs_that_nobody_sees(asking: Keeper, number: str) -> None:
    """Two keys that look alike are one to people; texts may hold such signs, for scripts need them."""
    asking("post", ITEMS, {"number": number, "name": {"en": "x", "zh": ""}}, 422)
    asking.item("P-1", notes=f"ت\u200c {number}")


# Formulas


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_are_neutral_in_files_and_come_back_as_they_were(text: str) -> None:
    kept = neutral(text)
    assert kept[0] == "'"
    assert meant(kept) == text
    assert meant(text.lstrip("'") or text) == text.lstrip("'")
    line = b"".join(csv_lines([["Name"], [text]]))
    cell = next(csv.reader(io.StringIO(line.decode("utf-8-sig").split("\r\n", 1)[1])))[0]
    assert cell == kept
    assert read_sheet(line, "a.csv").rows == [[text]]
    assert read_sheet(xlsx_file([["Name"], [text]]), "a.xlsx").rows == [[text.strip()]]


def test_no_export_holds_a_formula(asking: Keeper, plant: Tenant) -> None:
    asking.item("=P-1", notes="+cmd()", size="@x", family="-1+1")
    content = async_to_sync(whole)(asking.client.get(f"{RAW}/export", {"format": "csv"}).streaming_content)
    assert_neutral(content)
    unit = asset(plant, "unit")
    tag(plant, "TI-1", unit)
    device.issue(author(plant), [DeviceDraft.model_validate({"name": "d", "publish": ["=cmd()", "@x"]})])
    body = {"names": ["scale-1"], "publish": ["=cmd()/{name}"], "subscribe": ["@y"]}
    made = asking.client.post("/api/v1/devices/bulk?format=csv", json.dumps(body), "application/json")
    assert made.status_code == 201, made.content
    assert_neutral(made.content, passwords=True)


def assert_neutral(content: bytes, *, passwords: bool = False) -> None:
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert len(rows) > 1
    for row in rows:
        for place, cell in enumerate(row):
            # A password is used by programs, letter by letter.
            assert cell[:1] not in set("=+-@\t\r") or (passwords and place == 1), cell


def test_every_writer_of_csv_neutralises() -> None:
    """Whoever writes CSV without the one function that keeps spreadsheets from evaluating it is named here."""
    sources = Path(mainspring.__file__).parent
    writers = [file for file in sources.rglob("*.py") if "csv.writer(" in file.read_text(encoding="utf-8")]
    assert len(writers) >= 4
    without = [
        str(file.relative_to(sources))
        for file in writers
        if not _imports(file, "mainspring.records.importing.formulas")
    ]
    assert without == []


def _imports(file: Path, module: str) -> bool:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.ImportFrom) and node.module == module for node in ast.walk(tree))


# Logs


LOGGED: Final = """
import sys
from pathlib import Path
import structlog
from mainspring.core.logs import configure_logs
configure_logs("info", Path(sys.argv[1]) if len(sys.argv) > 1 else None)
structlog.get_logger("test").warning("web.refused", path='x\\n{"event": "all.is_well"}\\r\\x1b[2Jy\\u2028z')
"""


@pytest.mark.parametrize("to_file", [True, False])
def test_a_line_of_the_log_stays_one_line(tmp_path: Path, to_file: bool) -> None:
    file = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, "-c", LOGGED, *([str(file)] if to_file else [])], capture_output=True, text=True, check=True
    )
    said = file.read_text(encoding="utf-8") if to_file else done.stderr
    assert "web.refused" in said
    assert said.count("\n") == 1
    assert "\x1b[2J" not in said


def test_the_audit_keeps_what_was_written_and_its_export_is_a_line_each(asking: Keeper) -> None:
    forged = 'x"}\n{"sequence": 99'
    asking.item("P-1", notes=forged)
    assert AuditEntry.objects.order_by("-sequence")[0].changes["notes"][1] == forged
    content = async_to_sync(whole)(asking.client.get("/api/v1/audit/export").streaming_content)
    lines = [json.loads(line) for line in content.decode().splitlines()]
    assert [line["sequence"] for line in lines] == list(range(1, len(lines) + 1))


def test_events_keep_markup_and_formulas_as_text(asking: Keeper) -> None:
    for text in (*MARKUP, *SQL):
        event = arrival(STEEL, 1) | {"example:note": text}
        sent = document(event) | {"@context": [*_context(document(event)), {"example": "https://example.com/"}]}
        answer = asking.client.post("/api/v1/epcis/capture", json.dumps(sent), "application/ld+json")
        assert answer.status_code == 202, answer.content
        shown = asking.get(f"/epcis/events/{quote(answer.json()['eventIDs'][0], safe='')}")
        assert shown["example:note"] == text


def _context(sent: dict[str, Any]) -> list[Any]:
    found = sent["@context"]
    return found if isinstance(found, list) else [found]
