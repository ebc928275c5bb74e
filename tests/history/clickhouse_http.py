"""ClickHouse's HTTP interface over the embedded engine, as a process of its own: `clickhouse_http.py FOLDER [PORT]`.

It takes what a server takes - statements in the URL or the body, settings as parameters, rows in the body of an
insert - and answers as one does, with the exception's number in a header. Its cluster `one` has one shard: tables
distributed over it are real, the dividing of rows is not. What needs ClickHouse Keeper is taken out of statements:
`on cluster` is left out, and replicated tables are plain ones.
"""

from __future__ import annotations

import base64
import os
import re
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import chdb

PASSWORD: Final = "of the history"
LOSE_ANSWER: Final = "lose-answer"
"""While a file of this name is in the folder, inserts are done, and the connection ends without an answer."""
CONFIGURATION: Final = """<clickhouse>
<tcp_port>9000</tcp_port>
<macros><cluster>one</cluster></macros>
<remote_servers><one><shard><internal_replication>true</internal_replication>
<replica><host>localhost</host><port>9000</port></replica></shard></one></remote_servers>
<background_pool_size>1</background_pool_size><mark_cache_size>16777216</mark_cache_size>
</clickhouse>"""
# Parameters of the interface that are not settings of the statement.
_OF_HTTP: Final = {"query", "database", "wait_end_of_query", "client_protocol_version", "query_id", "session_id"}
# What asks for Keeper, which the embedded engine has not.
_OF_KEEPER: Final = {"insert_quorum", "insert_quorum_parallel", "select_sequential_consistency"}
_INSERT: Final = re.compile(r"(?is)\s*insert\s+into\b.*?\bformat\s+native[ \t;]*")
_INPUT: Final = re.compile(r"(?s)input\('(.*?)'\)")
_CODE: Final = re.compile(r"Code: (\d+)")


def without_keeper(statement: str) -> str:
    """Return what is left of a statement where there is no Keeper."""
    statement = re.sub(r"Replicated(\w*MergeTree)\('[^']*', '[^']*'(?:, (\w+))?\)", r"\1(\2)", statement)
    statement = re.sub(r",? *replicated_deduplication_window = 0", "", statement).removesuffix(" settings")
    return re.sub(r" on cluster '[^']*'", "", statement)


class Handler(BaseHTTPRequestHandler):
    """One request: a connection to the engine of its own, as the interface has without a session."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    address = ""
    folder = Path()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer a statement in the URL."""
        self.do_POST()

    def do_POST(self) -> None:
        """Answer a statement in the URL or the body."""
        body = self._body()
        said = self.headers.get("Authorization", "").removeprefix("Basic ")
        if base64.b64decode(said).decode() != f"historian:{PASSWORD}":
            self._answer(403, b"Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)\n")
            return
        parameters = {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}
        query = parameters.get("query", "").encode()
        text = query + b"\n" + body if query and body else query or body
        inserting = _INSERT.match(text[:100_000].decode("utf-8", errors="replace"))
        try:
            answer, form = self._run(text, inserting, parameters)
        except RuntimeError as error:
            self._answer(500, str(error).encode())
            return
        if inserting and (self.folder / LOSE_ANSWER).exists():
            self.close_connection = True
            return
        self._answer(200, answer, form)

    def _run(self, text: bytes, inserting: re.Match[str] | None, parameters: dict[str, str]) -> tuple[bytes, str]:
        connection = chdb.connect(self.address)
        try:
            connection.query(f"use {parameters.get('database', 'default')}")
            given = [name for name in parameters if name not in _OF_HTTP | _OF_KEEPER]
            if given:
                connection.query("set " + ", ".join(f"{name} = '{parameters[name]}'" for name in given))
            if inserting:
                end = len(inserting[0].encode())
                self._insert(connection, inserting[0], text[end:].removeprefix(b"\n"))
                return b"", ""
            statement = without_keeper(text.decode())
            found = re.search(r"(?i)format\s+(\w+)\s*;?\s*$", statement)
            answer = connection.query(statement, "TabSeparated").bytes() or b""
            return answer, found[1] if found else "TabSeparated" if answer else ""
        finally:
            connection.close()

    def _insert(self, connection: Any, statement: str, rows: bytes) -> None:
        """Insert rows from a file, for the embedded engine takes none beside a statement."""
        with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".native") as file:
            file.write(rows)
            file.flush()
            statement = re.sub(r"(?i)\s*\bformat\s+native\b.*$", "", statement, flags=re.DOTALL)
            if _INPUT.search(statement):
                connection.query(_INPUT.sub(lambda found: f"file('{file.name}', 'Native', '{found[1]}')", statement))
            else:
                connection.query(f"{statement} select * from file('{file.name}', 'Native')")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, status: int, answer: bytes, form: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        if form:
            self.send_header("X-ClickHouse-Format", form)
        if status != 200 and (code := _CODE.search(answer.decode(errors="replace"))):
            self.send_header("X-ClickHouse-Exception-Code", code[1])
        self.end_headers()
        self.wfile.write(answer)


def main(folder: Path, port: int = 0) -> None:
    """Serve until ended; say the port on the standard output."""
    (folder / "engine.xml").write_text(CONFIGURATION)
    Handler.folder = folder
    Handler.address = f"{folder / 'clickhouse'}?config-file={folder / 'engine.xml'}"
    keeper = chdb.connect(Handler.address)
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    finally:
        keeper.close()
        os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:3]))
