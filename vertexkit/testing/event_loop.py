"""The event loop that tests with `fake_dialog` need."""

import asyncio


def require_asyncio() -> None:
    """Fail with an explanation if another library runs the event loop.

    Raises:
        RuntimeError: says what to change.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "fake_dialog runs on asyncio, and this test runs on another event loop. Remove the "
            "test's marker for trio; with `trio_mode`, tests that use fake_dialog need no marker"
        ) from None


def require_no_loop() -> None:
    """Check that no event loop runs.

    Raises:
        RuntimeError: one does.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        "run_sync cannot be used in an async test; use `await dialog.run(...)` there"
    )
