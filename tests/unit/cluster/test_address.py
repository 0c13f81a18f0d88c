"""An address at which no Ray is ends the command in seconds, with what is wrong, where, and what to do."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from clipeval.cluster import ClusterSettings, address
from clipeval.cluster.address import check_address
from clipeval.cluster.session import _connect
from clipeval.errors import ClipevalError, InvalidInputError, NotAvailableError

SETTINGS_OF_A_SERVER = b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00@\x00"
VERSIONS = """Version mismatch: The cluster was started with:
    Ray: 2.55.0
    Python: 3.12.1
This process on node 10.0.0.2 was started with:
    Ray: 2.60.0
    Python: 3.11.7
"""


@pytest.fixture
def server() -> Iterator[Callable[[bytes | None], str]]:
    """``server(answer)``: what everybody is told who comes to that address; None for silence."""
    open_ = []

    def start(answer: bytes | None) -> str:
        door = socket.create_server(("127.0.0.1", 0))
        open_.append(door)

        def serve() -> None:
            with suppress(OSError):
                guest, _ = door.accept()
                open_.append(guest)
                if answer is not None:
                    guest.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return f"127.0.0.1:{door.getsockname()[1]}"

    yield start
    for one in open_:
        one.close()


@pytest.mark.parametrize(
    "word",
    [
        "",
        "nonsense",
        "host:",
        "host:port",
        ":6379",
        "host:0",
        "host:65536",
        "ray://host:1",
        "http://host",
        "a b:1",
        "a..b:1",
        f"{'a' * 64}:1",
    ],
)
def test_a_word_that_is_no_address_is_refused(word) -> None:
    with pytest.raises(InvalidInputError, match="is no address of a cluster") as refused:
        check_address(word)
    assert refused.value.where == "--address"
    assert "HOST:PORT" in str(refused.value.fix)


def test_a_port_that_nobody_listens_on_is_told_at_once(server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NotAvailableError, match=f"no Ray cluster at '127.0.0.1:{port}'") as refused:
        check_address(f"127.0.0.1:{port}")
    assert refused.value.where == "Connection refused"
    assert "ray start --head" in str(refused.value.fix)


@pytest.mark.parametrize("answer", [None, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00"])
def test_a_server_that_is_not_ray_and_one_that_is_stuck_are_not_waited_for(
    server, answer, monkeypatch
) -> None:
    monkeypatch.setattr(address, "PATIENCE", 0.2)
    with pytest.raises(NotAvailableError, match="no Ray cluster") as refused:
        check_address(server(answer))
    assert "does not answer as Ray does" in str(refused.value.where)


def test_what_speaks_as_ray_does_is_let_in_and_so_is_what_ray_finds_itself(server) -> None:
    check_address(server(SETTINGS_OF_A_SERVER))
    check_address("auto")


@pytest.mark.parametrize(
    ("told", "what", "where", "fix"),
    [
        (
            RuntimeError(VERSIONS),
            "the cluster at 'h:1' has other versions than this command",
            "there Ray 2.55.0 and Python 3.12.1; here Ray 2.60.0 and Python 3.11.7",
            "the same Ray and the same Python",
        ),
        (
            ConnectionError("Failed to connect to Ray cluster at h:1"),
            "this machine gets no part in the cluster at 'h:1'",
            "Failed to connect to Ray cluster at h:1",
            "ray start --address=h:1",
        ),
        (AssertionError("inside"), "this machine gets no part in the cluster", "inside", "ray start"),
        (Exception(), "this machine gets no part in the cluster", "Exception", "ray start"),
    ],
)
def test_whatever_ray_raises_while_it_connects_is_told_in_three_parts(told, what, where, fix) -> None:
    refused = refusal(told, ClusterSettings("h:1"))
    assert what in refused.what
    assert refused.where == where
    assert fix in str(refused.fix)


def test_a_cluster_that_wants_a_token_says_so_though_ray_tells_it_only_on_standard_error(capfd) -> None:
    class SaidError(ConnectionError):
        def __init__(self) -> None:
            subprocess.run([sys.executable, "-c", "import os; os.write(2, b'InvalidAuthToken: wrong')"])
            super().__init__("Failed to connect")

    refused = refusal(SaidError, ClusterSettings("h:1"))
    assert "wants a token" in refused.what
    assert "RAY_AUTH_MODE=token" in str(refused.fix)
    assert capfd.readouterr().err == ""


def test_where_none_can_be_started_the_fix_is_to_go_without() -> None:
    refused = refusal(OSError("no room"), ClusterSettings())
    assert (refused.what, refused.where) == ("Ray could not be started here", "no room")
    assert refusal(ConnectionError("none"), ClusterSettings("auto")).what.startswith(
        "this machine is no part"
    )


def refusal(told: Any, settings: ClusterSettings) -> ClipevalError:
    def init(**_: Any) -> None:
        raise told() if isinstance(told, type) else told

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(NotAvailableError) as refused:
        _connect(SimpleNamespace(init=init), settings, None)
    assert signal.getsignal(signal.SIGTERM) is before
    return refused.value


def test_a_job_that_is_terminated_while_it_connects_ends_as_it_does_later() -> None:
    from clipeval.stopping import Stopped, stoppable

    def init(**_: Any) -> None:
        raise SystemExit(15)  # what the handler does that Ray sets meanwhile

    with pytest.raises(Stopped, match="stopped in order") as stopped, stoppable("stopped in order"):
        _connect(SimpleNamespace(init=init), ClusterSettings("h:1"), None)
    assert stopped.value.status == 128 + signal.SIGTERM
