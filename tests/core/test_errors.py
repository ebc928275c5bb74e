from __future__ import annotations

import errno
import os
import socket
import ssl

import pytest

from mainspring.core.errors import reason_of
from mainspring.core.text import Text


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "whatever Python writes"), "连接被拒绝"),
        (OSError("[Errno 113] Connect call failed ('10.0.0.9', 502)"), "主机不可达"),
        (TimeoutError(), "连接超时"),
        (OSError(errno.ENOSPC, "full"), "磁盘空间不足"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "名称未知"),
    ],
)
def test_what_the_system_says_often_is_said_in_both_languages(error: OSError, said: str) -> None:
    reason = reason_of(error)
    assert reason.zh == said
    assert reason.en.isascii()
    assert "(" not in reason.en


def test_what_is_rare_stays_as_it_is_said() -> None:
    rare = os.strerror(errno.EXDEV)
    assert reason_of(OSError(errno.EXDEV, "x")) == Text(rare, rare)
    assert reason_of(ValueError("no such thing")) == Text("no such thing", "no such thing")
    assert reason_of(ssl.SSLError(1, "WRONG_VERSION_NUMBER")).en == "WRONG_VERSION_NUMBER"
    assert reason_of(OSError()).en == "OSError"
