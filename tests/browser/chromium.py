"""The system's headless Chromium as a process of its own, which all tests of a session share."""

import re
import subprocess
import threading
from pathlib import Path

from tests.tools import TOOLS

CHROMIUM = TOOLS["chromium"].path
ADDRESS = re.compile(r"DevTools listening on (ws://\S+)")
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
        self._process = subprocess.Popen(
            [CHROMIUM, *OPTIONS, f"--user-data-dir={profile}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.address = self._read_address()

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(60)
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()

    def _read_address(self) -> str:
        assert self._process.stderr is not None
        lines = []
        for line in self._process.stderr:
            lines.append(line)
            if found := ADDRESS.search(line):
                # Chromium stops when it has filled a pipe that is not read.
                self._reader = threading.Thread(target=self._process.stderr.read, daemon=True)
                self._reader.start()
                return found[1]
        raise AssertionError("Chromium did not start:\n" + "".join(lines))
