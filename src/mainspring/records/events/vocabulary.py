"""Words of events: the Core Business Vocabulary by short name and URI, and our own for what happens inside a plant.

Source: GS1 EPCIS 2.0 and CBV 2.0.
"""

from __future__ import annotations

import difflib
import re
from typing import Final

from mainspring.core.faults import fault
from mainspring.core.text import Text

CONTEXT: Final = "https://ref.gs1.org/standards/epcis/epcis-context.jsonld"
CONTEXTS: Final = ("https://ref.gs1.org/standards/epcis/", "https://gs1.github.io/EPCIS/")
"""What the address of the standard's own JSON-LD context begins with."""
STANDARD_PREFIXES: Final = frozenset({"epcis", "cbv", "cbvmda", "gs1", "rdf", "rdfs", "owl", "xsd", "dcterms", "skos"})
"""Prefixes that the standard's own context declares."""

BIZ_STEPS: Final = frozenset(
    [
        "accepting",
        "arriving",
        "assembling",
        "collecting",
        "commissioning",
        "consigning",
        "creating_class_instance",
        "cycle_counting",
        "decommissioning",
        "departing",
        "destroying",
        "disassembling",
        "dispensing",
        "encoding",
        "entering_exiting",
        "holding",
        "inspecting",
        "installing",
        "killing",
        "loading",
        "other",
        "packing",
        "picking",
        "receiving",
        "removing",
        "repackaging",
        "repairing",
        "replacing",
        "reserving",
        "retail_selling",
        "sampling",
        "sensor_reporting",
        "shipping",
        "staging_outbound",
        "stock_taking",
        "stocking",
        "storing",
        "transporting",
        "unloading",
        "unpacking",
        "void_shipping",
    ]
)
DISPOSITIONS: Final = frozenset(
    [
        "active",
        "available",
        "completeness_inferred",
        "completeness_verified",
        "conformant",
        "container_closed",
        "container_open",
        "damaged",
        "destroyed",
        "dispensed",
        "disposed",
        "encoded",
        "expired",
        "in_progress",
        "in_transit",
        "inactive",
        "mismatch_class",
        "mismatch_instance",
        "mismatch_quantity",
        "needs_replacement",
        "no_pedigree_match",
        "non_conformant",
        "non_sellable_other",
        "partially_dispensed",
        "recalled",
        "reserved",
        "retail_sold",
        "returned",
        "sellable_accessible",
        "sellable_not_accessible",
        "stolen",
        "unavailable",
        "unknown",
    ]
)
TRANSACTIONS: Final = frozenset(
    [
        "bol",
        "cert",
        "desadv",
        "inv",
        "pedigree",
        "po",
        "poc",
        "prodorder",
        "recadv",
        "rma",
        "testprd",
        "testres",
        "upevt",
    ]
)
PARTIES: Final = frozenset(["owning_party", "possessing_party", "location"])
REASONS: Final = frozenset(["did_not_occur", "incorrect_data"])

_LISTS: Final = {
    "bizStep": (BIZ_STEPS, "bizstep", "BizStep-"),
    "disposition": (DISPOSITIONS, "disp", "Disp-"),
    "transaction": (TRANSACTIONS, "btt", "BTT-"),
    "party": (PARTIES, "sdt", "SDT-"),
    "reason": (REASONS, "er", "ER-"),
}
_WEB: Final = ("https://ref.gs1.org/cbv/", "https://ns.gs1.org/cbv/", "cbv:")
_URI: Final = re.compile(r"""[A-Za-z][A-Za-z0-9+.-]*:[!#-;=?-\[\]_a-z~]+""")

_NO_WORD: Final = Text(
    "{word!r} is no word of the Core Business Vocabulary. Nearest: {near}. A word of your own is written as a URI.",
    "{word!r} 不是核心业务词汇（CBV）中的词，最接近的是 {near}；自定义的词须写成 URI。",
)

STEP: Final = "urn:mainspring:bizstep:"
STARTING: Final = f"{STEP}starting"
COMPLETING: Final = f"{STEP}completing"
SCRAPPING: Final = f"{STEP}scrapping"
CONSUMING: Final = f"{STEP}consuming"
REPORTING: Final = f"{STEP}reporting_state"
STATE: Final = "urn:mainspring:disp:"
OPERATION: Final = "urn:mainspring:btt:operation"
"""The type of the business transaction that names an operation of an order."""
ORDER_TYPE: Final = "prodorder"


def short(kind: str, word: str) -> str:
    """Return a word by its short name if the vocabulary has it in any of its forms, else as it is."""
    _, urn, web = _LISTS[kind]
    for beginning in (f"urn:epcglobal:cbv:{urn}:", *(f"{address}{web}" for address in _WEB)):
        if word.startswith(beginning):
            return word.removeprefix(beginning)
    return word


def check_word(kind: str, word: str) -> str:
    """Return the word if the vocabulary has it, or it is a URI of somebody else's; raises what pydantic takes."""
    words = _LISTS[kind][0]
    name = short(kind, word)
    if name in words or (name == word and _URI.fullmatch(word)):
        return word
    near = difflib.get_close_matches(name, words, n=3, cutoff=0.4) or sorted(words)[:3]
    raise fault(_NO_WORD.format(word=word[:80], near=", ".join(near)))


def is_uri(text: str) -> bool:
    """Tell whether a text is an absolute URI or begins with a prefix."""
    return len(text) <= URI_MAX and _URI.fullmatch(text) is not None


URI_MAX: Final = 500
