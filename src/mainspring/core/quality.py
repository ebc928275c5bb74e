"""Quality of a sample: the OPC byte `QQSSSSLL` (OPC DA 2.05A, section 6.8) with sub-status."""

from __future__ import annotations

from typing import Final

from mainspring.core.text import Text

MASK: Final = 0xC0
BAD: Final = 0x00
BAD_CONFIGURATION: Final = 0x04
BAD_NOT_CONNECTED: Final = 0x08
BAD_DEVICE_FAILURE: Final = 0x0C
BAD_SENSOR_FAILURE: Final = 0x10
BAD_LAST_KNOWN: Final = 0x14
BAD_COMMUNICATION: Final = 0x18
BAD_OUT_OF_SERVICE: Final = 0x1C
BAD_WAITING: Final = 0x20
UNCERTAIN: Final = 0x40
UNCERTAIN_LAST_USABLE: Final = 0x44
UNCERTAIN_SENSOR: Final = 0x50
UNCERTAIN_OUT_OF_RANGE: Final = 0x54
UNCERTAIN_SUBNORMAL: Final = 0x58
GOOD: Final = 0xC0
GOOD_LOCAL_OVERRIDE: Final = 0xD8

WORDS: Final[dict[int, Text]] = {
    BAD: Text("bad", "坏值"),
    BAD_CONFIGURATION: Text("bad: wrong address or type", "坏值：地址或类型有误"),
    BAD_NOT_CONNECTED: Text("bad: not connected", "坏值：未连接"),
    BAD_DEVICE_FAILURE: Text("bad: device failure", "坏值：设备故障"),
    BAD_SENSOR_FAILURE: Text("bad: sensor failure", "坏值：传感器故障"),
    BAD_LAST_KNOWN: Text("bad: last known value", "坏值：最后已知值"),
    BAD_COMMUNICATION: Text("bad: no communication", "坏值：通信中断"),
    BAD_OUT_OF_SERVICE: Text("bad: out of service", "坏值：停用"),
    BAD_WAITING: Text("bad: waiting for the first value", "坏值：等待首个值"),
    UNCERTAIN: Text("uncertain", "不确定"),
    UNCERTAIN_LAST_USABLE: Text("uncertain: last usable value", "不确定：最后可用值"),
    UNCERTAIN_SENSOR: Text("uncertain: sensor not accurate", "不确定：传感器不准"),
    UNCERTAIN_OUT_OF_RANGE: Text("uncertain: outside its range", "不确定：超出量程"),
    UNCERTAIN_SUBNORMAL: Text("uncertain: fewer sources than usual", "不确定：来源不足"),
    GOOD: Text("good", "良好"),
    GOOD_LOCAL_OVERRIDE: Text("good: set by hand", "良好：人工置数"),
}


def is_good(quality: int) -> bool:
    """Tell whether the two top bits say good."""
    return quality & MASK == GOOD


def words(quality: int) -> Text:
    """Say a quality in words; an unknown sub-status falls back to its main state."""
    exact = WORDS.get(quality & 0xFC)
    return exact if exact is not None else WORDS.get(quality & MASK, WORDS[BAD])
