"""Cut the demo plant's bicycle out of the AdventureWorks tables, as records in the form that imports take.

Run with the folder that holds the tables: `python deploy/make_demo_records.py FOLDER`. The result is kept in the
package; `src/mainspring/demo/tables/README.md` says what it is and under which licence. The mapping is that of
`examples/adventureworks`; Chinese names of items and places are ours.
"""

from __future__ import annotations

import csv
import gzip
import json
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).parents[1]
OUT: Final = ROOT / "src" / "mainspring" / "demo" / "tables" / "adventureworks.json.gz"
BICYCLE: Final = "BK-M82S-38"
LATEST: Final = {"1": 14, "3": 4, "4": 22}
"""How many of the latest orders are kept, by their status there: pending, rejected, complete."""
KINDS: Final = (
    "party", "item", "unit-of-measure", "location", "bill-of-material", "bill-line", "order", "order-line",
    "external-id",
)  # fmt: skip
PLACES: Final = {
    "AW-1": "工具库", "AW-2": "板材货架", "AW-3": "喷漆间", "AW-4": "油漆库", "AW-5": "金属材料库", "AW-6": "杂品库",
    "AW-7": "成品库", "AW-10": "车架成型", "AW-20": "车架焊接", "AW-30": "去毛刺抛光", "AW-40": "喷漆",
    "AW-45": "特种喷漆", "AW-50": "部件装配", "AW-60": "总装",
}  # fmt: skip
ITEMS: Final = {
    "AR-5381": "可调轴碗", "BA-8327": "轴承钢珠", "BB-9108": "HL 中轴", "BE-2349": "中轴滚珠轴承",
    "BE-2908": "碗组滚珠轴承", "BK-M82S-38": "Mountain-100 山地车，银色，38", "BL-2036": "叉腿", "CA-7457": "HL 曲柄",
    "CB-2903": "牙盘螺栓", "CH-0234": "链条", "CN-6137": "牙盘螺母", "CR-7833": "牙盘", "CR-9981": "叉肩轴碗",
    "CS-2812": "后下叉", "CS-9183": "HL 曲柄组", "DC-8732": "贴标 1", "DC-9824": "贴标 2", "DT-2377": "下管",
    "EC-M092": "山地车把端盖", "FB-9873": "前刹车", "FC-3654": "叉肩", "FC-3982": "前拨导链板", "FD-2342": "前拨链器",
    "FE-3760": "叉端", "FH-2981": "飞轮", "FK-9939": "HL 前叉", "FL-2301": "前拨连杆",
    "FR-M94S-38": "HL 山地车架，银色，38", "FW-M928": "HL 山地车前轮", "GP-0982": "导轮", "GT-2908": "HL 把带",
    "HB-M918": "HL 山地车把", "HS-3479": "HL 碗组", "HT-2981": "车把管", "HT-8019": "头管", "HU-8998": "HL 花鼓",
    "KW-4091": "带键垫圈", "LN-9080": "锁紧螺母 19", "LR-2398": "锁紧环", "LR-8520": "下轴碗", "MB-2024": "金属棒料 1",
    "MB-6061": "金属棒料 2", "MS-0253": "金属板材 2", "MS-1256": "金属板材 3", "MS-1981": "金属板材 7",
    "MS-2259": "金属板材 4", "MS-2341": "金属板材 5", "MS-2348": "金属板材 6", "NI-9522": "HL 辐条帽",
    "PA-529S": "油漆，银色", "PB-6109": "夹紧螺栓", "PD-M562": "HL 山地车脚踏", "RA-2345": "杯形轴碗",
    "RA-7490": "锥形轴碗", "RB-9231": "后刹车", "RC-0291": "后拨导链板", "RD-2308": "后拨链器", "RF-9198": "反光片",
    "RM-M823": "HL 山地车轮圈", "RW-M928": "HL 山地车后轮", "SA-M687": "HL 山地车座组件", "SD-9872": "HL 轴芯",
    "SE-M940": "HL 山地车鞍座", "SH-9312": "HL 花鼓壳", "SK-9283": "辐条", "SL-0931": "座管接头", "SM-9087": "把立",
    "SP-2981": "座杆", "SR-2098": "舵管", "SS-2985": "后上叉", "ST-9828": "座管", "TI-M823": "HL 山地车外胎",
    "TO-2301": "上管", "TP-0923": "张紧轮", "TT-M928": "山地车内胎",
}  # fmt: skip
Row = dict[str, str]


def read(folder: Path, table: str) -> list[Row]:
    """Return the rows of a table."""
    packed = folder / f"{table}.csv.gz"
    with gzip.open(packed, "rt") if packed.exists() else (folder / f"{table}.csv").open() as text:
        return [{name: value.strip() for name, value in row.items()} for row in csv.DictReader(text)]


def cut(folder: Path, out: Path) -> None:
    """Write the tables with the rows about one bicycle: its parts, who sells them, the latest orders of them alone."""
    tables = {name: read(folder, name) for name in (
        "Product", "ProductSubcategory", "BillOfMaterials", "ProductVendor", "Vendor", "Location",
        "PurchaseOrderHeader", "PurchaseOrderDetail",
    )}  # fmt: skip
    lines = [row for row in tables["BillOfMaterials"] if row["ProductAssemblyID"] and not row["EndDate"]]
    parts = {next(row["ProductID"] for row in tables["Product"] if row["ProductNumber"] == BICYCLE)}
    while further := {row["ComponentID"] for row in lines if row["ProductAssemblyID"] in parts} - parts:
        parts |= further
    strange = {row["PurchaseOrderID"] for row in tables["PurchaseOrderDetail"] if row["ProductID"] not in parts}
    orders: set[str] = set()
    for status, count in LATEST.items():
        orders |= set([
            row["PurchaseOrderID"] for row in tables["PurchaseOrderHeader"]
            if row["Status"] == status and row["PurchaseOrderID"] not in strange
        ][-count:])  # fmt: skip
    vendors = {row["VendorID"] for row in tables["PurchaseOrderHeader"] if row["PurchaseOrderID"] in orders}
    tables["BillOfMaterials"] = lines
    for name, column, kept in (
        ("Product", "ProductID", parts), ("BillOfMaterials", "ProductAssemblyID", parts),
        ("ProductVendor", "ProductID", parts), ("Vendor", "BusinessEntityID", vendors),
        ("PurchaseOrderHeader", "PurchaseOrderID", orders), ("PurchaseOrderDetail", "PurchaseOrderID", orders),
    ):  # fmt: skip
        tables[name] = [row for row in tables[name] if row[column] in kept]
    for name, rows in tables.items():
        with (out / f"{name}.csv").open("w", newline="") as text:
            writer = csv.DictWriter(text, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def records(folder: Path, out: Path) -> dict[str, list[dict[str, Any]]]:
    """Load the cut tables into a database of their own, and return what is there by kind, as imports name it."""
    sys.path.insert(0, str(ROOT))
    from mainspring.web.configure import WebSettings, configure

    configure(WebSettings(
        database_url=f"sqlite://{out / 'records.sqlite3'}", secret_key=secrets.token_hex(32), tenant="demo",
        zone="Asia/Shanghai", data_folder=out, static_folder=out,
    ))  # fmt: skip
    from examples.adventureworks import mapping

    from mainspring.records.audit import Author
    from mainspring.records.defined.access import Access
    from mainspring.records.defined.exporting import Export
    from mainspring.records.defined.kinds import find_kind
    from mainspring.records.first_start import ensure_tenant, migrate
    from mainspring.records.in_force import enter_platform
    from mainspring.records.rights import Role

    enter_platform()
    migrate()
    tenant = ensure_tenant("demo", {"en": "Demo"}, "Asia/Shanghai")
    access = Access(Author(tenant), Role.ADMINISTRATOR.rights)
    cut(folder, out)
    refused = mapping.load(access, out).refused
    assert not refused, refused
    made: dict[str, list[dict[str, Any]]] = {}
    for name in KINDS:
        kind = find_kind(name)
        ids = list(kind.objects.of(tenant).order_by("created_ms", "id").values_list("pk", flat=True))
        made[name] = json.loads(b"".join(Export(access, kind, ids, "json", "en").parts()))
    return made


def trimmed(made: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Leave out what is empty and what belongs to the database they came from; add the Chinese names."""
    labels = {f"item:{row['id']}": f"item:{row['number']}/{row['revision']}" for row in made["item"]}
    for kind, key in (("party", "number"), ("location", "code")):
        labels |= {f"{kind}:{row['id']}": f"{kind}:{row[key]}" for row in made[kind]}
    for row in made["external-id"]:
        row["about"] = labels[row["about"]]
    for row in made["item"]:
        row["name"]["zh"] = ITEMS[row["number"]]
    for row in made["location"]:
        row["name"]["zh"] = PLACES[row["code"]]
    left = {"id", "version", "changed_ms"}
    return {
        kind: [
            {name: value for name, value in row.items() if name not in left and value not in (None, "", False, [])}
            for row in rows
        ]
        for kind, rows in made.items()
    }


def main() -> None:
    """Write the records of one bicycle."""
    with tempfile.TemporaryDirectory() as place:
        made = trimmed(records(Path(sys.argv[1]), Path(place)))
    OUT.parent.mkdir(exist_ok=True)
    text = json.dumps(made, ensure_ascii=False, separators=(",", ":"))
    # No time in the file: the same tables give the same bytes.
    OUT.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
