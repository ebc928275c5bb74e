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

BIZ_STEPS: Final = {
    "accepting": Text("Accepting", "验收"),
    "arriving": Text("Arriving", "到达"),
    "assembling": Text("Assembling", "装配"),
    "collecting": Text("Collecting", "收集"),
    "commissioning": Text("Commissioning", "赋码投用"),
    "consigning": Text("Consigning", "交运"),
    "creating_class_instance": Text("Making a lot", "产出批次"),
    "cycle_counting": Text("Cycle counting", "循环盘点"),
    "decommissioning": Text("Decommissioning", "注销标识"),
    "departing": Text("Departing", "离开"),
    "destroying": Text("Destroying", "销毁"),
    "disassembling": Text("Disassembling", "拆解"),
    "dispensing": Text("Dispensing", "分发"),
    "encoding": Text("Encoding", "写码"),
    "entering_exiting": Text("Entering or leaving", "进出"),
    "holding": Text("Holding", "暂存待定"),
    "inspecting": Text("Inspecting", "检验"),
    "installing": Text("Installing", "安装"),
    "killing": Text("Killing a tag", "灭活标签"),
    "loading": Text("Loading", "装载"),
    "other": Text("Other", "其他"),
    "packing": Text("Packing", "包装"),
    "picking": Text("Picking", "拣选"),
    "receiving": Text("Receiving", "收货"),
    "removing": Text("Removing", "移除"),
    "repackaging": Text("Repackaging", "重新包装"),
    "repairing": Text("Repairing", "维修"),
    "replacing": Text("Replacing", "更换"),
    "reserving": Text("Reserving", "预留"),
    "retail_selling": Text("Selling", "零售"),
    "sampling": Text("Sampling", "取样"),
    "sensor_reporting": Text("Sensor report", "传感器上报"),
    "shipping": Text("Shipping", "发运"),
    "staging_outbound": Text("Staging outbound", "出库备货"),
    "stock_taking": Text("Stock taking", "全面盘点"),
    "stocking": Text("Stocking", "上架"),
    "storing": Text("Storing", "入库"),
    "transporting": Text("Transporting", "运输"),
    "unloading": Text("Unloading", "卸载"),
    "unpacking": Text("Unpacking", "拆包"),
    "void_shipping": Text("Voiding a shipment", "撤销发运"),
}
DISPOSITIONS: Final = {
    "active": Text("Active", "在用"),
    "available": Text("Available", "可用"),
    "completeness_inferred": Text("Complete, inferred", "推断完整"),
    "completeness_verified": Text("Complete, verified", "核实完整"),
    "conformant": Text("Conformant", "合格"),
    "container_closed": Text("Container closed", "容器已关闭"),
    "container_open": Text("Container open", "容器已打开"),
    "damaged": Text("Damaged", "损坏"),
    "destroyed": Text("Destroyed", "已销毁"),
    "dispensed": Text("Dispensed", "已分发"),
    "disposed": Text("Disposed of", "已处置"),
    "encoded": Text("Encoded", "已写码"),
    "expired": Text("Expired", "过期"),
    "in_progress": Text("In progress", "进行中"),
    "in_transit": Text("In transit", "在途"),
    "inactive": Text("Inactive", "停用"),
    "mismatch_class": Text("Wrong class", "品类不符"),
    "mismatch_instance": Text("Wrong piece", "个体不符"),
    "mismatch_quantity": Text("Wrong quantity", "数量不符"),
    "needs_replacement": Text("Needs replacement", "待更换"),
    "no_pedigree_match": Text("No matching pedigree", "来源不符"),
    "non_conformant": Text("Non-conformant", "不合格"),
    "non_sellable_other": Text("Not for sale", "不可销售"),
    "partially_dispensed": Text("Partly dispensed", "部分分发"),
    "recalled": Text("Recalled", "召回"),
    "reserved": Text("Reserved", "已预留"),
    "retail_sold": Text("Sold", "已售出"),
    "returned": Text("Returned", "已退回"),
    "sellable_accessible": Text("For sale, in reach", "可售且可取"),
    "sellable_not_accessible": Text("For sale, out of reach", "可售不可取"),
    "stolen": Text("Stolen", "被盗"),
    "unavailable": Text("Unavailable", "不可用"),
    "unknown": Text("Unknown", "未知"),
}
TRANSACTIONS: Final = {
    "bol": Text("Bill of lading", "提单"),
    "cert": Text("Certificate", "证书"),
    "desadv": Text("Despatch advice", "发货通知"),
    "inv": Text("Invoice", "发票"),
    "pedigree": Text("Pedigree", "来源凭证"),
    "po": Text("Purchase order", "采购订单"),
    "poc": Text("Purchase order confirmation", "采购订单确认"),
    "prodorder": Text("Production order", "生产订单"),
    "recadv": Text("Receiving advice", "收货通知"),
    "rma": Text("Return authorization", "退货授权"),
    "testprd": Text("Test procedure", "检测规程"),
    "testres": Text("Test result", "检测结果"),
    "upevt": Text("Upstream event", "上游事件"),
}
PARTIES: Final = {
    "owning_party": Text("Owner", "所有方"),
    "possessing_party": Text("Holder", "持有方"),
    "location": Text("Place", "地点"),
}
REASONS: Final = {
    "did_not_occur": Text("It did not happen", "事件未发生"),
    "incorrect_data": Text("What it says is wrong", "内容有误"),
}

_LISTS: Final[dict[str, tuple[dict[str, Text], str, str]]] = {
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

OWN_STEPS: Final = {
    STARTING: Text("Operation begun", "工序开工"),
    COMPLETING: Text("Operation completed", "工序完工"),
    SCRAPPING: Text("Scrapping", "报废"),
    CONSUMING: Text("Consuming", "消耗"),
    REPORTING: Text("State of equipment", "设备状态"),
}
OWN_STATES: Final = {
    f"{STATE}running": Text("Running", "运行"),
    f"{STATE}idle": Text("Idle", "待机"),
    f"{STATE}stopped": Text("Stopped", "停止"),
    f"{STATE}fault": Text("Fault", "故障"),
    f"{STATE}maintenance": Text("Maintenance", "检修"),
    f"{STATE}off": Text("Off", "断电"),
}


def words() -> dict[str, dict[str, Text]]:
    """Return the words events are written with, ours beside the standard's, as people read them."""
    return {
        "bizStep": BIZ_STEPS | OWN_STEPS, "disposition": DISPOSITIONS | OWN_STATES,
        "transaction": TRANSACTIONS | {OPERATION: Text("Operation", "工序")}, "party": PARTIES, "reason": REASONS,
    }  # fmt: skip
