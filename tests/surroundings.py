"""What the tests keep of the environment that they were started in."""

import os
import signal

KEPT = {"VERTEXKIT_SIMULATIONS"}
"""Options of the tests themselves."""
PROXIES = {
    name: value
    for name, value in os.environ.items()
    if name.lower() in {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
}
"""Only pip uses them, to reach the package index."""


def clear() -> None:
    """Remove settings and proxies from the environment, and let SIGINT interrupt again."""
    settings = {name for name in os.environ if name.upper().startswith("VERTEXKIT_")}
    for name in (settings | set(PROXIES)) - KEPT:
        os.environ.pop(name, None)
    # A shell starts background jobs with SIGINT ignored, and each new process inherits that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
