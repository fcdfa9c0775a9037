"""What a Service's local port does with connections, while its endpoints come and go."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from deployctl.sandbox.practice.front import Front, backends
from deployctl.sandbox.store import Store
from tests.sandbox.real import PATIENCE_SECONDS, refused, until

DELAY_SECONDS = 0.05
WHERE = ("shop", "web", 80)
RESET = struct.pack("ii", 1, 0)


class Pod:
    """A listener that greets each connection with its name and then plays a script."""

    def __init__(self, name: str, script: Callable[[socket.socket], object] = lambda _: None) -> None:
        self.name, self.script = name, script
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                threading.Thread(target=self._greet, args=(sock,), daemon=True).start()

    def _greet(self, sock: socket.socket) -> None:
        with sock, suppress(OSError):
            sock.sendall(self.name.encode() + b"\n")
            self.script(sock)

    def close(self) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


class Shop:
    """A store with one Service, its front and the pods behind it."""

    def __init__(self) -> None:
        self.store = Store(time.time)
        self.pods: dict[str, Pod] = {}
        self.front = Front(self.store, self.address, DELAY_SECONDS)
        meta = {"name": "web", "namespace": "shop"}
        spec = {"clusterIP": "10.96.0.7", "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}
        self.store.create("services", {"metadata": meta, "spec": spec})
        self.port = int(self.front.addresses()[WHERE].partition(":")[2])

    def address(self, uid: str, port: int) -> int | None:
        return self.pods[uid].port if port == 8080 and uid in self.pods else None

    def run(self, *pods: Pod) -> None:
        self.pods.update({pod.name: pod for pod in pods})

    def publish(self, *names: str, **conditions: bool) -> None:
        """Write the EndpointSlice; its endpoints are ready unless told otherwise."""
        one = slice_of(*names, **conditions)
        held = self.store.get("endpointslices", "shop", "web-x")
        if held:
            self.store.update("endpointslices", {**held, **one, "metadata": held["metadata"]})
        else:
            self.store.create("endpointslices", one)

    def settle(self) -> None:
        """Wait until what was published has been heard."""
        heard = threading.Event()
        self.front._loop.call(heard.set, self.front.propagation_seconds)
        assert heard.wait(PATIENCE_SECONDS)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)

    def name(self) -> str:
        """Open a connection and give the name of the pod at its other end."""
        with self.connect() as sock:
            return greeting(sock)

    def everything(self) -> bytes:
        """Open a connection and read it to its end."""
        with self.connect() as sock, sock.makefile("rb") as stream:
            return stream.read()


def slice_of(*names: str, port_name: str = "http", **conditions: bool) -> dict[str, Any]:
    said = conditions or {"ready": True, "serving": True, "terminating": False}
    return {
        "metadata": {"name": "web-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "ports": [{"name": port_name, "port": 8080}],
        "endpoints": [{"targetRef": {"uid": name}, "conditions": said} for name in names],
    }


def greeting(sock: socket.socket) -> str:
    with sock.makefile("rb", buffering=0) as stream:
        return stream.readline().decode().strip()


def echo(sock: socket.socket) -> None:
    while chunk := sock.recv(65536):
        sock.sendall(chunk)


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def wait_for_the_end(sock: socket.socket) -> None:
    sock.recv(1)


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    yield made
    made.front.close()
    for pod in made.pods.values():
        pod.close()


def serving(shop: Shop, *pods: Pod) -> Shop:
    shop.run(*pods)
    shop.publish(*(pod.name for pod in pods))
    shop.settle()
    return shop


def test_a_service_without_endpoints_refuses(shop):
    assert refused(shop.port)


def test_connections_go_over_all_ready_endpoints(shop):
    serving(shop, Pod("a"), Pod("b"), Pod("c"))
    assert {shop.name() for _ in range(60)} == {"a", "b", "c"}


def test_a_change_of_the_endpoints_is_heard_after_the_delay(shop):
    serving(shop, Pod("a"))
    shop.run(Pod("b"))
    shop.front.propagation_seconds = 1.0
    shop.publish("b")
    assert shop.name() == "a"
    shop.settle()
    assert shop.name() == "b"


def test_an_established_connection_stays_with_its_pod(shop):
    serving(shop, Pod("a", echo))
    shop.run(Pod("b"))
    with shop.connect() as sock:
        assert greeting(sock) == "a"
        shop.publish("b")
        shop.settle()
        sock.sendall(b"still here")
        assert sock.recv(100) == b"still here"


def test_a_service_that_lost_its_endpoints_refuses_and_keeps_its_port(shop):
    serving(shop, Pod("a"))
    shop.publish()
    until(lambda: refused(shop.port))
    shop.publish("a")
    shop.settle()
    assert shop.name() == "a"


def test_a_connection_outlives_the_last_endpoint(shop):
    serving(shop, Pod("a", echo))
    with shop.connect() as sock:
        greeting(sock)
        shop.publish()
        until(lambda: refused(shop.port))
        sock.sendall(b"still here")
        assert sock.recv(100) == b"still here"


def test_a_pod_that_is_gone_resets_what_still_goes_to_it(shop):
    serving(shop, Pod("a"))
    shop.pods.pop("a").close()
    with pytest.raises(ConnectionResetError):
        shop.name()


def test_a_pod_that_does_not_listen_any_more_resets(shop):
    serving(shop, Pod("a"))
    shop.pods["a"].close()
    with pytest.raises(ConnectionResetError):
        shop.name()


def test_the_end_of_a_pods_words_is_the_end_here(shop):
    serving(shop, Pod("a"))
    with shop.connect() as sock:
        assert sock.makefile("rb").read() == b"a\n"


def test_a_reset_of_the_pod_is_a_reset_here(shop):
    serving(shop, Pod("a", reset))
    with pytest.raises(ConnectionResetError):
        shop.everything()


def test_a_reset_of_the_client_is_a_reset_there(shop):
    seen: list[str] = []

    def hear(sock: socket.socket) -> None:
        try:
            sock.recv(1)
        except ConnectionResetError:
            seen.append("reset")

    serving(shop, Pod("a", hear))
    with shop.connect() as sock:
        greeting(sock)
        reset(sock)
    until(lambda: seen == ["reset"])


def test_a_client_that_has_said_all_still_hears_the_answer(shop):
    serving(shop, Pod("a", echo))
    with shop.connect() as sock:
        sock.sendall(b"all")
        sock.shutdown(socket.SHUT_WR)
        assert sock.makefile("rb").read() == b"a\nall"


def test_more_bytes_than_any_buffer_arrive_whole(shop):
    serving(shop, Pod("a", echo))
    much = bytes(range(256)) * 16 * 1024
    with shop.connect() as sock:
        greeting(sock)
        threading.Thread(target=sock.sendall, args=(much,), daemon=True).start()
        heard = bytearray()
        while len(heard) < len(much):
            heard += sock.recv(65536)
    assert heard == much


def test_a_slow_reader_does_not_hold_up_others(shop):
    serving(shop, Pod("a", lambda sock: sock.sendall(bytes(8 * 1024 * 1024))))
    with shop.connect():
        assert shop.name() == "a"


def test_a_deleted_service_has_no_address(shop):
    serving(shop, Pod("a"))
    shop.store.remove("services", "shop", "web")
    assert shop.front.addresses() == {}
    until(lambda: refused(shop.port))


def test_a_front_finds_services_that_were_there_before_it(shop):
    serving(shop, Pod("a"))
    later = Front(shop.store, shop.address, 0.0)
    port = int(later.addresses()[WHERE].partition(":")[2])
    until(lambda: not refused(port))
    later.close()


def test_ready_endpoints_are_balanced_over():
    assert backends([slice_of("a", "b")], "http") == [("a", 8080), ("b", 8080)]


def test_terminating_endpoints_serve_where_no_other_is_ready():
    ending = slice_of("a", ready=False, serving=True, terminating=True)
    assert backends([ending], "http") == [("a", 8080)]
    assert backends([ending, slice_of("b")], "http") == [("b", 8080)]


def test_an_endpoint_that_is_not_ready_gets_nothing():
    assert backends([slice_of("a", ready=False, serving=False, terminating=False)], "http") == []


def test_a_ready_that_is_not_said_is_ready():
    assert backends([slice_of("a", serving=True)], "http") == [("a", 8080)]


def test_endpoints_of_another_port_are_not_these():
    assert backends([slice_of("a", port_name="admin")], "http") == []
