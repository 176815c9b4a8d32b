"""Which tests run in the same process of pytest: those of a file, and all that use the browser."""

from xdist.scheduler import LoadFileScheduling

TOGETHER = "tests/browser/"
"""The tests of this folder share one Chromium, one connection to it and one `vertexkit dev`."""


class Distribution(LoadFileScheduling):
    """Hands out the tests of a file together, and those of `TOGETHER` as if they were one file."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(TOGETHER):
            return TOGETHER
        return str(super()._split_scope(nodeid))
