"""The system's headless Chromium as a process of its own, which all tests of a session share."""

import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.tools import TOOLS
from tests.waiting import until_outside

CHROMIUM = TOOLS["chromium"].path
ADDRESS = re.compile(r"DevTools listening on (ws://\S+)\n")
UNUSED = (
    "PreloadTopChromeWebUI",
    "SpareRendererForSitePerProcess",
    "MediaRouter",
    "OptimizationHints",
    "Translate",
)
"""Features for which Chromium starts processes, or works in the background."""
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--in-process-gpu",
    "--disable-software-rasterizer",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-startup-window",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-extensions-with-background-pages",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    f"--disable-features={','.join(UNUSED)}",
    "--remote-debugging-port=0",
)


class Chromium:
    """A headless Chromium.

    Args:
        profile: An empty folder for its profile.
    """

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        self._output = profile / "output.txt"
        """A file: Chromium stops when it has filled a pipe that is not read."""
        with self._output.open("w") as output:
            self._process = subprocess.Popen(
                [CHROMIUM, *OPTIONS, f"--user-data-dir={profile}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.address = until_outside(self._address, "Chromium writes its address")

    def close(self) -> None:
        """End it, with all that it has started."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _address(self) -> str:
        """Return the address of its debugger; an empty text until it has written it."""
        text = self._output.read_text(encoding="utf-8", errors="replace")
        if found := ADDRESS.search(text):
            return found[1]
        assert self._process.poll() is None, f"Chromium did not start:\n{text}"
        return ""
