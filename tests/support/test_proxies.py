"""The proxy that holds packets: what tests of a silent network rely on."""

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.support.proxies import Proxy


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says again what it hears, to one client."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                client, _ = server.accept()
                with client:
                    while piece := client.recv(1024):
                        client.sendall(piece)
            except OSError:
                return

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        socket.create_connection(server.getsockname()).close()
        thread.join(30)


def test_a_paused_proxy_holds_bytes_and_delivers_them_when_it_resumes(echo: int) -> None:
    with Proxy("127.0.0.1", echo) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as client:
        client.settimeout(60)
        client.sendall(b"one")
        assert client.recv(16) == b"one"
        proxy.pause()
        client.sendall(b"two")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(16)
        proxy.resume()
        client.settimeout(60)
        assert client.recv(16) == b"two"


def test_a_cut_proxy_resets_its_connections(echo: int) -> None:
    with Proxy("127.0.0.1", echo) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as client:
        client.settimeout(60)
        client.sendall(b"one")
        assert client.recv(16) == b"one"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(16)
