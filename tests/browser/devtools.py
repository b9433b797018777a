"""A headless Chromium, driven over the DevTools protocol with the standard library alone.

The browser is started with `--remote-debugging-pipe`: it reads commands from file descriptor 3 and
writes answers and events to 4, JSON texts with a NUL after each. Methods and events are those of
https://chromedevtools.github.io/devtools-protocol/.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = """
    --headless --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run
    --disable-background-networking --disable-component-update --disable-sync --hide-scrollbars
    --remote-debugging-pipe
""".split()  # noqa: SIM905
# No name has an address: what a page asks of the network fails, and is seen to be asked.
NOWHERE = "--host-resolver-rules=MAP * ~NOTFOUND"
# Python opens its files above 2 in no fixed order, so a small process puts the pipes at 3 and 4.
TRAMPOLINE = "import os, sys; os.dup2({r}, 3); os.dup2({w}, 4); os.execv(sys.argv[1], sys.argv[1:])"


def find_browser() -> str | None:
    """The first browser on PATH, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class DevToolsError(RuntimeError):
    """The browser refused a command, failed in a page's script, or did not answer in time."""


class Browser:
    """A running browser; as a context manager it is gone at the end, with its profile."""

    def __init__(self, executable: str) -> None:
        self.profile = tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True)
        (read_here, write_there), (read_there, write_here) = _high_pipe(), _high_pipe()
        code = TRAMPOLINE.format(r=read_there, w=write_there)
        flags = [*FLAGS, NOWHERE, f"--user-data-dir={self.profile.name}"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, executable, *flags, "about:blank"],
            pass_fds=(read_there, write_there),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_there)
        os.close(write_there)
        self.reading, self.writing = read_here, write_here
        self.buffer, self.number = b"", 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *error: object) -> None:
        # Without its pipe the browser ends by itself.
        os.close(self.writing)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.reading)
        self.profile.cleanup()

    def send(self, method: str, *, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Give a command and wait for its result; events that come before it are kept."""
        self.number += 1
        command = {"id": self.number, "method": method, "params": parameters}
        command |= {"sessionId": session} if session else {}
        _write(self.writing, json.dumps(command).encode() + b"\0")
        while True:
            message = self._receive(method)
            if message.get("id") == self.number:
                break
            self.events.append(message)
        if "error" in message:
            raise DevToolsError(f"{method}: {message['error']['message']}")
        result: dict[str, Any] = message["result"]
        return result

    def wait_for(self, method: str, session: str) -> None:
        """Wait until an event of a page has come."""
        while not any(e["method"] == method and e["sessionId"] == session for e in self.events):
            self.events.append(self._receive(method))

    def new_page(self) -> Page:
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, session)

    def _receive(self, what: str, timeout: float = 60) -> dict[str, Any]:
        end = time.monotonic() + timeout
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.reading], [], [], max(0, end - time.monotonic()))
            part = os.read(self.reading, 1 << 20) if ready else b""
            if not part:
                raise DevToolsError(f"{what}: {'the browser has ended' if ready else 'no answer'}")
            self.buffer += part
        text, _, self.buffer = self.buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        message.setdefault("sessionId", None)
        return message


class Page:
    """A tab of the browser."""

    def __init__(self, browser: Browser, session: str) -> None:
        self.browser, self.session = browser, session
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.send(method, session=self.session, **parameters)

    def open(self, path: Path) -> None:
        """Load a file and wait until it, and its fonts, are there; earlier events are forgotten."""
        self.browser.events.clear()
        self.send("Page.navigate", url=path.resolve().as_uri())
        self.browser.wait_for("Page.loadEventFired", self.session)
        self.evaluate("document.fonts.ready.then(() => 0)")

    def resize(self, width: int, height: int = 900) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **metrics)

    def prefer(self, theme: str) -> None:
        """What the reader's system asks for: `light` or `dark`."""
        wanted = [{"name": "prefers-color-scheme", "value": theme}]
        self.send("Emulation.setEmulatedMedia", features=wanted)

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page."""
        result = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in result:
            raise DevToolsError(str(result["exceptionDetails"].get("exception")))
        return result["result"].get("value")

    def events(self, method: str) -> list[dict[str, Any]]:
        """Parameters of the page's events of one name, since it was opened."""
        mine = [e for e in self.browser.events if e["sessionId"] == self.session]
        return [event["params"] for event in mine if event["method"] == method]

    def screenshot(self) -> bytes:
        """The whole page as PNG."""
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    def pdf(self) -> bytes:
        """The page as it is printed on A4."""
        paper = {"paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": True}
        return base64.b64decode(self.send("Page.printToPDF", **paper)["data"])


def _high_pipe() -> tuple[int, int]:
    """A pipe whose ends are numbered 10 or higher: clear of 3 and 4."""
    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return high[0], high[1]


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
