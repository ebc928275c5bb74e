"""Cut the demo plant's recordings out of the published originals.

Run with the folder that holds them: `python deploy/make_recordings.py FOLDER`. The results are kept in the package;
`src/mainspring/demo/recordings/README.md` says what they are and under which licence.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

OUT = Path(__file__).parents[1] / "src" / "mainspring" / "demo" / "recordings"

# (file, first row, rows): normal operation between faults; a fault begins after sample 160 of its file.
PROGRAM = (
    ("d00_te", 0, 45),
    ("d06_te", 158, 60),
    ("d00_te", 45, 75),
    ("d04_te", 155, 60),
    ("d00_te", 120, 60),
    ("d01_te", 155, 120),
    ("d00_te", 180, 60),
    ("d02_te", 155, 90),
    ("d00_te", 240, 60),
    ("d07_te", 155, 60),
)
CHILLER = {
    "condenser_water_return_to_tower_temperature": "condenser_return_temperature",
    "chiller_efficiency": "efficiency",
    "tonnage": "tonnage",
    "supply_temperature": "supply_temperature",
    "return_temperature": "return_temperature",
    "condenser_water_flow": "condenser_flow",
    "power_input": "power",
    "chiller_percent_loaded": "load",
    "liquid_refrigerant_evaporator_temperature": "evaporator_temperature",
    "setpoint_temperature": "setpoint_temperature",
}

INVENTORY = ("OperatingSystem", "Application")
"""Keys of the machine's software, which say nothing of its work."""


def write(name: str, header: list[str], rows: list[list[str]]) -> None:
    """Write one compressed recording."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(header)
    out.writerows(rows)
    # No time in the file: the same originals give the same bytes.
    (OUT / f"{name}.csv.gz").write_bytes(gzip.compress(text.getvalue().encode(), 9, mtime=0))


def tennessee_eastman(folder: Path) -> None:
    """Cut the process: normal operation with faults between."""
    rows: list[list[str]] = []
    variables: list[str] = []
    for source, first, count in PROGRAM:
        with gzip.open(folder / f"{source}.csv.gz", "rt", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            recorded = list(reader)
        variables = [name for name in recorded[0] if name.startswith("XM")]
        for row in recorded[first : first + count]:
            values = [format(float(row[name]), ".6g") for name in variables]
            rows.append([source, row["sample"], row["fault"] if row["fault_active"] == "1" else "0", *values])
    write("tennessee_eastman", ["source", "sample", "fault", *variables], rows)


def chiller(folder: Path) -> None:
    """Cut the chiller: rows that are complete."""
    rows: list[list[str]] = []
    with gzip.open(folder / "chiller6_june2020_sensordata_couchdb.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if all(row.get(name) is not None for name in CHILLER):
                rows.append([str(row["timestamp"]), *(format(row[name], ".5g") for name in CHILLER)])
    rows.sort(key=lambda row: int(row[0]))
    write("chiller", ["recorded_s", *CHILLER.values()], rows[:960])


def okuma(folder: Path) -> None:
    """Cut the machine tool: its adapter's lines without tool assets and software inventory; one device described."""
    with gzip.open(folder / "okuma_shdr.txt.gz", "rt", encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file]
    kept = []
    for line in lines:
        stamp, *fields = line.split("|")
        if not re.fullmatch(r"[\d-]{10}T[\d:.]+Z", stamp) or not fields or fields[0].startswith(("@", "*")):
            continue
        pairs = list(zip(fields[::2], fields[1::2], strict=False))
        if len(fields) != 6 or fields[1] != "NORMAL":
            told = [part for key, value in pairs if not key.startswith(INVENTORY) for part in (key, value)]
            fields = told
        if fields:
            kept.append("|".join((stamp, *fields)))
    raw = "\n".join(kept) + "\n"
    (OUT / "okuma.shdr.gz").write_bytes(gzip.compress(raw.encode(), 9, mtime=0))
    root = ElementTree.parse(folder / "Devices.xml").getroot()  # noqa: S314 - a published original, checked by eye
    space = root.tag.partition("}")[0] + "}"
    devices = root.find(f"{space}Devices")
    assert devices is not None
    for device in list(devices)[1:]:
        devices.remove(device)
    for part in list(root.iter()):
        for below in list(part):
            if below.tag in (f"{space}Configuration", f"{space}Compositions"):
                part.remove(below)
    ElementTree.register_namespace("", space[1:-1])
    ElementTree.indent(root, " ")
    (OUT / "okuma_devices.xml").write_bytes(ElementTree.tostring(root, "utf-8", xml_declaration=True) + b"\n")


def machine_temperature(folder: Path) -> None:
    """Cut the machine temperature: most of a day of normal operation, its catastrophic failure, and its return."""
    with gzip.open(folder / "machine_temperature_system_failure.csv.gz", "rt", encoding="utf-8") as file:
        rows = [
            [row["timestamp"], format(float(row["value"]), ".4g")]
            for row in csv.DictReader(file)
            if "2014-02-06 18:00" <= row["timestamp"] < "2014-02-09 20:00"
        ]
    write("machine_temperature", ["recorded", "temperature"], rows)


if __name__ == "__main__":
    originals = Path(sys.argv[1])
    tennessee_eastman(originals / "tennessee_eastman")
    chiller(originals / "assetopsbench")
    okuma(originals / "mtconnect_okuma")
    machine_temperature(originals / "nab_subset" / "realKnownCause")
