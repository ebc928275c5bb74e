"""What can be set for a gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class GatewaySection(BaseModel):
    """What the settings file says of gateways; connections and tags are definitions and change at run time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flush_ms: int = Field(default=50, ge=10, le=1000, description="readings are gathered this long, then sent")
    compression: Literal["none", "zstd"] = Field(default="zstd", description="of batches of 500 rows and more")
    segment_bytes: int = Field(default=16 * 1024**2, ge=64 * 1024, le=1024**3, description="size of one log file")
    log_bytes_max: int = Field(default=10 * 1024**3, ge=1024**2, description="at this size of the log polling pauses")
    disk_free_min_bytes: int = Field(default=1024**3, ge=0, description="below this free space polling pauses")
    blob_bytes_max: int = Field(
        default=2 * 1024**3, ge=1024**2, description="blobs that wait for the platform; beyond it no more are kept"
    )
    rows_waiting_max: int = Field(default=2_000_000, ge=50_000, description="readings in memory before polling pauses")
    connect_timeout_ms: int = Field(default=15_000, ge=100, le=300_000, description="longest time one connect may take")
    read_timeout_ms: int = Field(default=10_000, ge=100, le=300_000, description="longest time one read may take")
    tick_tolerance_ms: int = Field(
        default=500, ge=0, le=10_000, description="a read this close to its tick carries the tick; at most half a scan"
    )
    late_after_ms: int = Field(
        default=5_000, ge=100, le=3_600_000, description="readings the bus did not take within this time go to LATE"
    )
    late_rows_per_s: int = Field(default=2_000_000, ge=1000, description="how fast late readings are sent at most")
    outstanding_max: int = Field(default=8, ge=1, le=256, description="batches under way at once, each stream")
    mqtt_host: str = Field(default="127.0.0.1", max_length=255, description="address the MQTT listener listens on")
    mqtt_port: int = Field(default=0, ge=0, le=65535, description="port of the MQTT listener; 0: none")
    mqtt_tls_certificate: Path | None = Field(
        default=None, description="certificate of the listener, PEM; none: no TLS"
    )
    mqtt_tls_key: Path | None = Field(default=None, description="key of that certificate, PEM")
    mqtt_tls_client_ca: Path | None = Field(default=None, description="authority of device certificates, PEM")
    mqtt_connections_max: int = Field(default=10_000, ge=1, le=100_000, description="devices connected at a time")
    mqtt_packet_bytes_max: int = Field(
        default=1024**2, ge=1024, le=64 * 1024**2, description="largest packet a device may send"
    )


class GatewaySettings(GatewaySection):
    """Settings of one gateway."""

    name: str = Field(default="main", pattern=r"^[a-z][a-z0-9-]{0,31}$", description="name in connections and subjects")
    tenant: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$", description="the company whose equipment this gateway reads")
    folder: Path = Field(description="folder of the segment log; one gateway each")
