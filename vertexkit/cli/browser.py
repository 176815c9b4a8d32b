"""Opens pages in the user's browser."""

import os
import sys
import webbrowser


def open_in_browser(url: str) -> None:
    """Open a page in the browser, if this is a terminal of a machine with a display.

    Args:
        url: of the page.
    """
    if sys.stdout.isatty() and _has_display():
        webbrowser.open(url)


def _has_display() -> bool:
    if sys.platform in {"darwin", "win32"}:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
