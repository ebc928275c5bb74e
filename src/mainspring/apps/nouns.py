"""The nouns an app links to and asks: one shared model, so that no app keeps equipment, materials or people itself."""

from mainspring.records.business.asset_link import AssetLink
from mainspring.records.business.asset_type import AssetType, Equipment
from mainspring.records.business.bill import BillLine, BillOfMaterial, explode
from mainspring.records.business.calendar import Calendar, worked_shifts, working
from mainspring.records.business.capability import Capability
from mainspring.records.business.commitment import Commitment, Settlement, balance
from mainspring.records.business.criterion import Criterion, Evidence
from mainspring.records.business.document import Document
from mainspring.records.business.external_id import ExternalId, known_as
from mainspring.records.business.finding import Finding, Severity
from mainspring.records.business.indicator import Indicator
from mainspring.records.business.item import Item
from mainspring.records.business.location import Location
from mainspring.records.business.lot import Lot
from mainspring.records.business.operation import Operation, OperationMaterial, OperationOrder
from mainspring.records.business.order import Order, OrderLine, OrderLink
from mainspring.records.business.party import Party
from mainspring.records.business.project import Project, ProjectMember, ProjectTask
from mainspring.records.business.unit import Conversion, UnitOfMeasure, ratio
from mainspring.records.people.user import User
from mainspring.records.plant.asset import Asset
from mainspring.records.plant.tag import Tag

__all__ = [
    "Asset",
    "AssetLink",
    "AssetType",
    "BillLine",
    "BillOfMaterial",
    "Calendar",
    "Capability",
    "Commitment",
    "Conversion",
    "Criterion",
    "Document",
    "Equipment",
    "Evidence",
    "ExternalId",
    "Finding",
    "Indicator",
    "Item",
    "Location",
    "Lot",
    "Operation",
    "OperationMaterial",
    "OperationOrder",
    "Order",
    "OrderLine",
    "OrderLink",
    "Party",
    "Project",
    "ProjectMember",
    "ProjectTask",
    "Settlement",
    "Severity",
    "Tag",
    "UnitOfMeasure",
    "User",
    "balance",
    "explode",
    "known_as",
    "ratio",
    "worked_shifts",
    "working",
]
