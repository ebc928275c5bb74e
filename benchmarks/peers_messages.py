"""Mosquitto, Node-RED and thingsboard-gateway with the messages of `small_messages`.

Node-RED parses each message, compares the temperature with its limit and counts. thingsboard-gateway converts each and
sends it on to a second Mosquitto in the place of a ThingsBoard server, where its values are counted. Neither keeps
anything on disk. Mosquitto acknowledges on their behalf and queues without a limit what they are slow to take.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.figures import say
from benchmarks.mqtt_devices import DEVICES, HIGH, NAMES, VALUES
from benchmarks.peers import mosquitto, node, node_red, thingsboard_gateway
from benchmarks.platform_under_test import free_ports
from mainspring.simulators.mqtt_device import MqttDevice, Refused

Sending = Callable[[int, float, float], AbstractContextManager[Callable[[], dict[str, float]]]]
STEADY_S = 10
READY_WITHIN_S = 60
QUIET_S = 5.0
"""What has not come so long after the last message is not waited for."""
DONE_WITHIN_S = 90


@contextlib.contextmanager
def process(command: list[str], folder: Path, **environment: str) -> Iterator[psutil.Process]:
    """Run a program in a folder of its own and stop it."""
    with (folder / "output.log").open("ab") as log:
        started = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=os.environ | environment)
    try:
        yield psutil.Process(started.pid)
    finally:
        started.terminate()
        try:
            started.wait(15)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait(15)


@contextlib.contextmanager
def broker(program: Path) -> Iterator[tuple[int, psutil.Process]]:
    """Run Mosquitto on a port of this machine."""
    [port] = free_ports(1)
    with tempfile.TemporaryDirectory() as name:
        lines = ["user root", f"listener {port} 127.0.0.1", "allow_anonymous true", "max_queued_messages 0",
                 "max_inflight_messages 1000", "persistence false", "log_type error"]  # fmt: skip
        (Path(name) / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        with process([str(program), "-c", "mosquitto.conf"], Path(name)) as running:
            until(lambda: _listens(port), "Mosquitto")
            yield port, running


def until(there: Callable[[], bool], name: str) -> None:
    """Wait until something is there."""
    deadline = time.monotonic() + READY_WITHIN_S
    while not there():
        assert time.monotonic() < deadline, f"{name} was not there within {READY_WITHIN_S} s"
        time.sleep(0.1)


def _listens(port: int) -> bool:
    import socket

    with contextlib.closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def red(program: Path, port: int) -> Iterator[tuple[psutil.Process, Callable[[], float]]]:
    """Run Node-RED with a flow that takes all messages and compares."""
    compare = f"""
        const count = (flow.get('values') || 0) + {VALUES};
        flow.set('values', count);
        if (msg.payload.temperature > {HIGH}) flow.set('alarms', (flow.get('alarms') || 0) + 1);
        return null;
    """
    flow: list[dict[str, Any]] = [
        {"id": "b", "type": "mqtt-broker", "broker": "127.0.0.1", "port": str(port), "clientid": "red"},
        {"id": "in", "type": "mqtt in", "z": "t", "topic": "plant/+", "qos": "1", "datatype": "json", "broker": "b",
         "wires": [["f"]]},
        {"id": "f", "type": "function", "z": "t", "func": compare, "outputs": 0, "wires": []},
    ]  # fmt: skip
    with red_running(program, flow) as running:
        time.sleep(2)
        yield running


@contextlib.contextmanager
def red_running(program: Path, flow: list[dict[str, Any]]) -> Iterator[tuple[psutil.Process, Callable[[], float]]]:
    """Run Node-RED with a flow on tab `t`; yields its process and what asks for the flow's count of `values`."""
    [web] = free_ports(1)
    every = [
        {"id": "t", "type": "tab", "label": "bench"},
        *flow,
        {"id": "h", "type": "http in", "z": "t", "url": "/count", "method": "get", "wires": [["c"]]},
        {"id": "c", "type": "function", "z": "t", "func": "msg.payload = String(flow.get('values') || 0); return msg;",
         "outputs": 1, "wires": [["r"]]},
        {"id": "r", "type": "http response", "z": "t", "wires": []},
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "flows.json").write_text(json.dumps(every))
        settings = f"module.exports = {{uiPort: {web}, uiHost: '127.0.0.1', flowFile: 'flows.json'}};\n"
        (folder / "settings.js").write_text(settings)
        # Nodes that are not Node-RED's own lie beside it.
        (folder / "node_modules").symlink_to(program.parents[1])
        packages = json.loads((program.parents[2] / "package.json").read_text())
        (folder / "package.json").write_text(json.dumps({"name": "bench", "dependencies": packages["dependencies"]}))
        command = [*node(), str(program), "--userDir", name, "--settings", str(folder / "settings.js")]

        def counted() -> float:
            with urllib.request.urlopen(f"http://127.0.0.1:{web}/count", timeout=30) as answer:
                return float(answer.read())

        def there() -> bool:
            with contextlib.suppress(OSError):
                counted()
                return True
            return False

        with process(command, folder) as running:
            until(there, "Node-RED")
            yield running, counted


@contextlib.contextmanager
def thingsboard(python: Path, port: int, server: int) -> Iterator[tuple[psutil.Process, Callable[[], float]]]:
    """Run thingsboard-gateway between two brokers; yields its process and its count of values."""
    converter = {
        "type": "json",
        "deviceInfo": {
            "deviceNameExpressionSource": "topic", "deviceNameExpression": "(?<=plant/)(.*)",
            "deviceProfileExpressionSource": "constant", "deviceProfileExpression": "default",
        },
        "sendDataOnlyOnChange": False, "timeout": 60000, "attributes": [],
        "timeseries": [{"type": "double", "key": name, "value": "${" + name + "}"} for name in NAMES],
    }  # fmt: skip
    connector = {
        "broker": {
            "host": "127.0.0.1", "port": port, "clientId": "tb", "version": 4, "maxMessageNumberPerWorker": 10,
            "maxNumberOfWorkers": 100, "security": {"type": "anonymous"},
        },
        "mapping": [{"topicFilter": "plant/+", "subscriptionQos": 1, "converter": converter}],
        "requestsMapping": {},
    }  # fmt: skip
    limits = dict.fromkeys(
        ("rateLimits", "dpRateLimits", "messagesRateLimits", "deviceMessagesRateLimits", "deviceRateLimits",
         "deviceDpRateLimits"), "0:0,")  # fmt: skip
    settings = {
        "thingsboard": {
            "host": "127.0.0.1", "port": server, "remoteShell": False, "remoteConfiguration": False, **limits,
            "security": {"type": "accessToken", "accessToken": "bench"}, "qos": 1,
            "maxPayloadSizeBytes": 65_536, "minPackSendDelayMS": 50, "minPackSizeToSend": 500,
            "handleDeviceRenaming": False, "reportStrategy": {"type": "ON_RECEIVED"},
            "statistics": {"enable": False, "statsSendPeriodInSeconds": 3600},
        },
        "storage": {"type": "memory", "read_records_count": 1000, "max_records_count": 1_000_000},
        "connectors": [{"name": "MQTT", "type": "mqtt", "configuration": "mqtt.json"}],
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "logs").mkdir()
        original = python.parents[1] / "lib"
        logs = next(original.glob("python*/site-packages/thingsboard_gateway/config/logs.json"))
        (folder / "logs.json").write_text(logs.read_text().replace('"INFO"', '"ERROR"').replace('"DEBUG"', '"ERROR"'))
        (folder / "mqtt.json").write_text(json.dumps(connector))
        (folder / "tb_gateway.json").write_text(json.dumps(settings))
        code = "from thingsboard_gateway.tb_gateway import main; main()"
        with (
            Telemetry(server) as telemetry,
            process([str(python), "-c", code], folder, TB_GW_CONFIG_DIR=name) as running,
        ):
            until(telemetry.connected, "thingsboard-gateway")
            time.sleep(5)
            yield running, lambda: float(telemetry.values)


class Telemetry:
    """Stands in the place of a ThingsBoard server: counts the values that a gateway sends."""

    def __init__(self, port: int) -> None:
        self.values = 0
        self._heard = threading.Event()
        self._ended = threading.Event()
        self._device = MqttDevice(port, "server", "none")
        self._answers: list[asyncio.Future[None]] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Telemetry:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)

    def connected(self) -> bool:
        """Tell whether a gateway has been heard."""
        return self._heard.is_set()

    def _take(self, topic: str, content: Any) -> None:
        self._heard.set()
        if topic.startswith("v1/devices/me/rpc/request/"):
            # It asks which limits the server sets, and sends nothing before it knows.
            answered = topic.replace("request", "response")
            limits = {"maxPayloadSize": 65_536, "maxInflightMessages": 100, "rateLimits": {}, "gatewayRateLimits": {}}
            self._answers.append(asyncio.ensure_future(self._device.publish(answered, limits)))
        if topic == "v1/gateway/telemetry":
            for rows in content.values():
                self.values += sum(len(row.get("values", row)) for row in rows)

    async def _run(self) -> None:
        device = self._device
        device.on_command = self._take
        with contextlib.suppress(Refused, OSError):
            await device.connect()
            await device.subscribe("v1/#")
            while not self._ended.is_set():
                await asyncio.sleep(0.1)
        await device.close()


def passed(scenario: str, words: str, send: Callable[[], dict[str, float]], counted: Callable[[], float],
           processes: list[psutil.Process]) -> float:  # fmt: skip
    """Let the devices send, wait until nothing more arrives, and tell; returns values a second that came through."""
    before, used, began = counted(), _used(processes), time.monotonic()
    told = send()
    last, last_at = counted(), time.monotonic()
    while time.monotonic() - last_at < QUIET_S and time.monotonic() - began < DONE_WITHIN_S:
        if last - before >= told["sent"] * VALUES:
            break
        time.sleep(0.2)
        if (now := counted()) != last:
            last, last_at = now, time.monotonic()
    came, took = last - before, last_at - began
    name = f"beside {words}"
    say(scenario, f"{name}: values that came through", came / took, "values/s")
    say(scenario, f"{name}: of what was sent", 100 * came / (told["sent"] * VALUES), "%")
    share = 100 * (_used(processes) - used) / (time.monotonic() - began)
    say(scenario, f"{name}: processor, Mosquitto included", share, "% of a core")
    return came / took


def _used(processes: list[psutil.Process]) -> float:
    every = [each for one in processes for each in (one, *one.children(recursive=True))]
    return float(sum(sum(each.cpu_times()[:2]) for each in every))


def measure(scenario: str, sending: Sending, flat_out_s: float) -> dict[str, float]:
    """Measure each peer; returns values a second flat out by words."""
    rates: dict[str, float] = {}
    found = mosquitto()
    if not found.found(scenario):
        return rates
    assert found.path is not None
    with broker(found.path) as (port, running), sending(port, flat_out_s, 0) as send:
        used = _used([running])
        told = send()
        rates["Mosquitto: acknowledged only"] = told["answered"] * VALUES / told["took_s"]
        say(scenario, "beside Mosquitto alone, nobody listens: values acknowledged",
            rates["Mosquitto: acknowledged only"], "values/s")  # fmt: skip
        say(
            scenario,
            "beside Mosquitto alone: processor",
            100 * (_used([running]) - used) / told["took_s"],
            "% of a core",
        )
    loads = (("one message a second each", STEADY_S, float(DEVICES)), ("flat out", flat_out_s, 0.0))
    if (peer := node_red()).found(scenario) and peer.path:
        with broker(found.path) as (port, behind), red(peer.path, port) as (running, counted):
            for words, seconds, rate in loads:
                with sending(port, seconds, rate) as send:
                    rates["Node-RED: compared, not kept"] = passed(
                        scenario, f"Node-RED, {words}", send, counted, [running, behind])  # fmt: skip
            say(scenario, "beside Node-RED: memory", running.memory_info().rss / 2**20, "MB")
    if (peer := thingsboard_gateway()).found(scenario) and peer.path:
        with (
            broker(found.path) as (port, behind),
            broker(found.path) as (server, _),
            thingsboard(peer.path, port, server) as (running, counted),
        ):
            # Devices are made known with their first message, once and for all.
            for words, seconds, rate in (("first message of each", 1.0, float(DEVICES)), *loads):
                with sending(port, seconds, rate) as send:
                    rates["thingsboard-gateway: sent on, not kept"] = passed(
                        scenario, f"thingsboard-gateway, {words}", send, counted, [running, behind])  # fmt: skip
            say(scenario, "beside thingsboard-gateway: memory", running.memory_info().rss / 2**20, "MB")
    return rates
