"""A role that says that it is ready, and records its start and its end: `fake_role.py NAME PORT JOURNAL`."""

import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class _Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing to log."""


def main(name: str, port: int, journal: Path) -> None:
    with HTTPServer(("127.0.0.1", port), _Ready) as server:
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        _write(journal, f"{name} began")
        server.serve_forever()
        _write(journal, f"{name} ended")


def _write(journal: Path, line: str) -> None:
    with journal.open("a") as file:
        file.write(line + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
