"""A small machine for the tests of MTConnect: its description, and tags on it."""

from __future__ import annotations

from typing import Any

from mainspring.core.drivers import DriverTag
from mainspring.core.kinds import SampleKind
from mainspring.drivers.mtconnect import MtconnectAddress
from mainspring.drivers.shdr import ShdrAddress

DEVICES = b"""<?xml version="1.0" encoding="UTF-8"?>
<MTConnectDevices xmlns="urn:mtconnect.org:MTConnectDevices:2.0">
 <Header instanceId="1" version="2.0"/>
 <Devices>
  <Device id="d1" name="Mill" uuid="M-1">
   <Description>Test   mill</Description>
   <Configuration><SolidModel id="s"/><Components><Ghost id="g"/></Components></Configuration>
   <DataItems><DataItem category="EVENT" id="avail" type="AVAILABILITY"/></DataItems>
   <Components>
    <Linear id="x" name="X">
     <DataItems>
      <DataItem category="SAMPLE" id="xpos" name="Xact" type="POSITION" subType="ACTUAL" units="MILLIMETER"/>
      <DataItem category="SAMPLE" id="xload" type="LOAD" units="PERCENT"/>
     </DataItems>
    </Linear>
    <Controller id="c" name="cnc">
     <DataItems>
      <DataItem category="EVENT" id="exec" name="execution" type="EXECUTION"/>
      <DataItem category="EVENT" id="parts" type="PART_COUNT"/>
      <DataItem category="EVENT" id="program" type="PROGRAM"/>
      <DataItem category="EVENT" id="note" type="MESSAGE"/>
      <DataItem category="EVENT" id="hand" type="x:HAND">
       <Constraints><Value>LEFT</Value><Value>RIGHT</Value></Constraints>
      </DataItem>
      <DataItem category="EVENT" id="vars" type="VARIABLE" representation="DATA_SET"/>
      <DataItem category="CONDITION" id="hydraulic" type="PRESSURE"/>
      <DataItem category="SAMPLE" id="path" type="PATH_POSITION" units="MILLIMETER_3D"/>
      <DataItem category="SAMPLE" id="feed" type="PATH_FEEDRATE" units="MILLIMETER/SECOND"
        nativeUnits="MILLIMETER/MINUTE"/>
     </DataItems>
    </Controller>
   </Components>
  </Device>
  <Device id="d2" name="Robot" uuid="R-1">
   <DataItems><DataItem category="EVENT" id="ravail" type="AVAILABILITY"/></DataItems>
  </Device>
 </Devices>
</MTConnectDevices>"""


def agent_tag(ordinal: int, kind: SampleKind, item: str, **address: Any) -> DriverTag:
    return DriverTag(ordinal, kind, MtconnectAddress.model_validate({"item": item, **address}))


def adapter_tag(ordinal: int, kind: SampleKind, key: str, **address: Any) -> DriverTag:
    return DriverTag(ordinal, kind, ShdrAddress.model_validate({"key": key, **address}))
