"""Other servers that do whatever they like: nobody waits for them for ever."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from participation import asking
from participation.asking import Unanswered, answer_to
from participation.probes import PAGE_OCTETS, Prober, Read, Target
from tests.cast import NOW

Talk = Callable[[socket.socket], None]


@pytest.fixture
def server() -> Iterator[Callable[[Talk], str]]:
    """Makes a server that does one thing with whoever asks; its address."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        is_over = threading.Event()

        def serve(talk: Talk) -> str:
            def answer() -> None:
                while not is_over.is_set():
                    with suppress(OSError), closing(listening.accept()[0]) as came:
                        talk(came)
                        # What nobody has read would break the connection off.
                        came.shutdown(socket.SHUT_WR)
                        while came.recv(1000):
                            pass

            threading.Thread(target=answer, daemon=True).start()
            return f"http://127.0.0.1:{listening.getsockname()[1]}"

        yield serve
        is_over.set()
        listening.shutdown(socket.SHUT_RDWR)


def drop_by_drop(first: bytes) -> Talk:
    """Begins an answer, and goes on octet by octet for as long as somebody listens."""

    def talk(came: socket.socket) -> None:
        came.sendall(first)
        while True:
            came.sendall(b"x")
            time.sleep(0.01)

    return talk


def read_all(url: str, seconds: float) -> bytes:
    with answer_to(url, headers={}, pause=5, seconds=seconds) as answer:
        return answer.read()


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 200 OK\r\nX-Long: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
    ],
    ids=["in its headers", "in what it has announced", "without an end"],
)
def test_who_sends_octet_by_octet_is_cut_off(server: Callable[[Talk], str], first: bytes) -> None:
    with pytest.raises(Unanswered) as problem:
        read_all(server(drop_by_drop(first)), 0.3)
    assert problem.value.is_late


def test_who_says_nothing_is_waited_for_no_longer_than_a_pause(server: Callable[[Talk], str]) -> None:
    silent = server(lambda came: time.sleep(0.5))
    with pytest.raises(Unanswered) as problem, answer_to(silent, headers={}, pause=0.1, seconds=60):
        pass
    assert problem.value.is_late


def test_what_is_no_answer_and_who_is_not_there(server: Callable[[Talk], str]) -> None:
    for url in (server(lambda came: came.sendall(b"SSH-2.0\r\n\r\n")), "http://127.0.0.1:1", "http://:x/"):
        with pytest.raises(Unanswered) as problem:
            read_all(url, 5)
        assert not problem.value.is_late


def test_an_answer_is_read_to_its_end(server: Callable[[Talk], str]) -> None:
    good = server(lambda came: came.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"))
    assert read_all(good, 5) == b"good"


def test_a_probe_reads_no_more_of_a_document_than_there_is_and_of_a_page_only_so_much(
    server: Callable[[Talk], str],
) -> None:
    sent: list[int] = []

    def endless(came: socket.socket) -> None:
        came.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        sent.append(0)
        with suppress(OSError):
            while True:
                came.sendall(bytes(100_000))
                sent[-1] += 100_000

    known: dict[tuple[str, str], Read] = {}
    prober = Prober(server(endless), NOW, known, again_after=0)
    assert prober._fetch(Target(1, 1, 7, "localhost", "/plan.pdf", "0" * 64, 500_000)) == "altered"
    assert prober._fetch(Target(1, 1, None, "localhost", "/")) == ""
    assert known == {}
    # What waits in the buffers of both sides comes on top.
    assert all(octets < PAGE_OCTETS + 20_000_000 for octets in sent)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Key and certificate of localhost, signed by itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    today = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "localhost.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + signed.public_bytes(Encoding.PEM)
    )
    return path


def test_encrypted_it_is_asked_only_if_its_certificate_is_known(
    server: Callable[[Talk], str], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    asked: list[bytes] = []

    def talk(came: socket.socket) -> None:
        with context.wrap_socket(came, server_side=True) as line:
            asked.append(line.recv(1000))
            line.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsafe")

    url = server(talk).replace("http://127.0.0.1", "https://localhost") + "/wms?LAYERS=dop"
    with pytest.raises(Unanswered, match="certificate"):
        read_all(url, 5)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    asking._trusted.cache_clear()
    assert read_all(url, 5) == b"safe"
    asking._trusted.cache_clear()
    [question] = asked
    assert question.startswith(b"GET /wms?LAYERS=dop HTTP/1.1\r\n")
    assert b"Host: localhost:" in question


def test_addresses_are_sent_as_planners_write_them_with_umlauts_and_blanks() -> None:
    """Map services have layers with such names; what is spelled already is not spelled twice."""
    asked: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def answer() -> None:
            with closing(listening.accept()[0]) as came:
                asked.append(came.recv(1000).partition(b" HTTP")[0])
                came.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        threading.Thread(target=answer, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/Straßen/7?layers=Grün und Wege%2CFlüsse"
        assert read_all(url, 5) == b"ok"
    assert asked == [b"GET /Stra%C3%9Fen/7?layers=Gr%C3%BCn%20und%20Wege%2CFl%C3%BCsse"]
