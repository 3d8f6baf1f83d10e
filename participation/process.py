"""A server's process: what `digilog serve` becomes when it has understood what is wanted.

The command knows everything that can be said on the console. What it has loaded for that would stay in memory as long as the
server runs, so it gives its place to a program that loads what serves and nothing else.
"""

import os
import sys
from typing import NoReturn


def become(host: str, port: int, workers: int = 1) -> NoReturn:
    """Make of this process (same number, same surroundings) a server; what is not written by now is lost."""
    # Modules are looked for in the working folder only if they were before.
    safely = [] if os.getcwd() in sys.path else ["-P"]
    sys.stdout.flush()
    sys.stderr.flush()
    arguments = ["-m", "participation.process", host, str(port), str(workers)]
    os.execv(sys.executable, [sys.executable, *safely, *arguments])


def main(host: str, port: int, workers: int) -> None:
    """Serve until stopped; ends with a sentence and exit code 2 if the database is of another version."""
    import uvicorn

    from participation.settings import load

    settings = load()
    if workers > 1:
        os.environ["DIGILOG_SHARED_LIMITS"] = "true"
    else:
        _check_database(settings.database_url)
    # Unless somebody says otherwise, the server's probes ask where it listens.
    reached_at = "127.0.0.1" if host in ("0.0.0.0", "::", "localhost") else host
    os.environ.setdefault("DIGILOG_PROBE_URL", f"http://{reached_at}:{port}")
    uvicorn.run(
        "participation.process:application",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http="participation.heads:Protocol",
        # Processes share what comes; one alone takes it as it comes.
        loop="participation.serving:Loop" if workers > 1 and sys.platform != "win32" else "auto",
        log_level="warning",
        server_header=False,
        proxy_headers=settings.trust_proxy,
    )


def _check_database(url: str) -> None:
    from participation.database import opened, unready

    with opened(url) as engine:
        if problem := unready(engine):
            print(problem, file=sys.stderr)
            sys.exit(2)


def application() -> object:
    """The ASGI application for a server process."""
    import logging

    from participation.app import create_app
    from participation.settings import load

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    return create_app(load())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
