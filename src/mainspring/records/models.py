"""Every noun of the records, where Django looks for them."""

from mainspring.records.access.assignment import Assignment
from mainspring.records.access.grant import Grant
from mainspring.records.access.role import CompanyRole
from mainspring.records.access.use import RecordUse
from mainspring.records.audit import AuditEntry
from mainspring.records.business.asset_link import AssetLink
from mainspring.records.business.asset_type import AssetType, Equipment
from mainspring.records.business.bill import BillLine, BillOfMaterial
from mainspring.records.business.calendar import Calendar
from mainspring.records.business.capability import Capability
from mainspring.records.business.commitment import Commitment, Settlement
from mainspring.records.business.criterion import Criterion, Evidence
from mainspring.records.business.document import Document
from mainspring.records.business.external_id import ExternalId
from mainspring.records.business.finding import Finding
from mainspring.records.business.indicator import Indicator
from mainspring.records.business.item import Item
from mainspring.records.business.location import Location
from mainspring.records.business.lot import Lot
from mainspring.records.business.operation import Operation, OperationMaterial, OperationOrder
from mainspring.records.business.order import Order, OrderLine, OrderLink
from mainspring.records.business.party import Party
from mainspring.records.business.project import Project, ProjectMember, ProjectTask
from mainspring.records.business.unit import UnitOfMeasure
from mainspring.records.counter import Counter
from mainspring.records.daily_count import DailyCount
from mainspring.records.defined.attached import Attachment, Comment, Label
from mainspring.records.defined.views import SavedView
from mainspring.records.events.event import Event, EventLine, EventReference
from mainspring.records.events.tallies import Lineage, StateSpan, Stock, Use, WorkInProgress
from mainspring.records.people.credential import Credential
from mainspring.records.people.invitation import Invitation
from mainspring.records.people.provisioned import Provisioned
from mainspring.records.people.registration import Registration
from mainspring.records.people.session import Session
from mainspring.records.people.user import User
from mainspring.records.personal import PersonKey
from mainspring.records.plant.alarm_definition import AlarmDefinition
from mainspring.records.plant.alarm_expression import AlarmInput
from mainspring.records.plant.asset import Asset
from mainspring.records.plant.command import CommandedTag, CommandRecord
from mainspring.records.plant.connection import Connection
from mainspring.records.plant.device import Device
from mainspring.records.plant.gateway import Gateway
from mainspring.records.plant.gateway_release import GatewayRelease
from mainspring.records.plant.gateway_software import Software
from mainspring.records.plant.reservation import Reservation
from mainspring.records.plant.subscription import Notice, Subscription
from mainspring.records.plant.suppression import SuppressionInput
from mainspring.records.plant.tag import Tag
from mainspring.records.search_index import SearchRow
from mainspring.records.tenant import Tenant

__all__ = [
    "AlarmDefinition",
    "AlarmInput",
    "Asset",
    "AssetLink",
    "AssetType",
    "Assignment",
    "Attachment",
    "AuditEntry",
    "BillLine",
    "BillOfMaterial",
    "Calendar",
    "Capability",
    "CommandRecord",
    "CommandedTag",
    "Comment",
    "Commitment",
    "CompanyRole",
    "Connection",
    "Counter",
    "Credential",
    "Criterion",
    "DailyCount",
    "Device",
    "Document",
    "Equipment",
    "Event",
    "EventLine",
    "EventReference",
    "Evidence",
    "ExternalId",
    "Finding",
    "Gateway",
    "GatewayRelease",
    "Grant",
    "Indicator",
    "Invitation",
    "Item",
    "Label",
    "Lineage",
    "Location",
    "Lot",
    "Notice",
    "Operation",
    "OperationMaterial",
    "OperationOrder",
    "Order",
    "OrderLine",
    "OrderLink",
    "Party",
    "PersonKey",
    "Project",
    "ProjectMember",
    "ProjectTask",
    "Provisioned",
    "RecordUse",
    "Registration",
    "Reservation",
    "SavedView",
    "SearchRow",
    "Session",
    "Settlement",
    "Software",
    "StateSpan",
    "Stock",
    "Subscription",
    "SuppressionInput",
    "Tag",
    "Tenant",
    "UnitOfMeasure",
    "Use",
    "User",
    "WorkInProgress",
]
