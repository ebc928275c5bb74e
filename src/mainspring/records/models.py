"""Every noun of the records, where Django looks for them."""

from mainspring.records.alarm_definition import AlarmDefinition
from mainspring.records.alarm_expression import AlarmInput
from mainspring.records.asset import Asset
from mainspring.records.audit import AuditEntry
from mainspring.records.command import CommandedTag, CommandRecord
from mainspring.records.connection import Connection
from mainspring.records.counter import Counter
from mainspring.records.credential import Credential
from mainspring.records.daily_count import DailyCount
from mainspring.records.device import Device
from mainspring.records.gateway import Gateway
from mainspring.records.gateway_release import GatewayRelease
from mainspring.records.gateway_software import Software
from mainspring.records.reservation import Reservation
from mainspring.records.subscription import Notice, Subscription
from mainspring.records.suppression import SuppressionInput
from mainspring.records.tag import Tag
from mainspring.records.tenant import Tenant
from mainspring.records.user import User

__all__ = [
    "AlarmDefinition",
    "AlarmInput",
    "Asset",
    "AuditEntry",
    "CommandRecord",
    "CommandedTag",
    "Connection",
    "Counter",
    "Credential",
    "DailyCount",
    "Device",
    "Gateway",
    "GatewayRelease",
    "Notice",
    "Reservation",
    "Software",
    "Subscription",
    "SuppressionInput",
    "Tag",
    "Tenant",
    "User",
]
