"""Programs that some tests need: a test whose program is missing is skipped.

    python3 tests/tools.py             names each program that is missing, or slower than another one
    python3 tests/tools.py --packages  prints the Debian packages that install them

The environment variable REQUIRE names programs, separated by spaces: if one of them is missing, no
test runs. Only the standard library is imported, so that `make` can run this file before it installs.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tool:
    """A program, by any of its names.

    Attributes:
        commands: names, one of which is found in PATH or in a folder.
        package: of Debian and Ubuntu.
        subject: what is tested with it.
        folders: patterns of folders outside of PATH.
        slower: names of programs that are used instead where it is missing.
    """

    commands: tuple[str, ...]
    package: str
    subject: str
    folders: tuple[str, ...] = ()
    slower: tuple[str, ...] = ()

    @property
    def path(self) -> str | None:
        """Where it, or a slower one, is installed; None if both are missing."""
        return self._find(*self.commands, *self.slower)

    @property
    def is_slower(self) -> bool:
        """Whether only a slower one is installed."""
        return self.path is not None and self._find(*self.commands) is None

    def _find(self, *names: str) -> str | None:
        places = (str(folder) for pattern in self.folders for folder in Path("/").glob(pattern))
        searched = os.pathsep.join([os.environ.get("PATH", os.defpath), *places])
        return next(filter(None, (shutil.which(name, path=searched) for name in names)), None)


TOOLS = {
    "strace": Tool(("strace",), "strace", "the journal when a system call fails"),
    # Without the parts that show a window, a page takes a third of the processor time.
    "chromium": Tool(
        ("chromium-headless-shell", "chrome-headless-shell"),
        "chromium-headless-shell",
        "the playground's page",
        slower=("chromium", "chromium-browser", "google-chrome"),
    ),
    "curl": Tool(("curl",), "curl", "the commands of the manual"),
    "postgresql": Tool(
        ("initdb",), "postgresql", "the journal in PostgreSQL", ("usr/lib/postgresql/*/bin",)
    ),
    "pgbouncer": Tool(("pgbouncer",), "pgbouncer", "PostgreSQL behind PgBouncer", ("usr/sbin",)),
    "nginx": Tool(("nginx",), "nginx-light", "the configuration of nginx"),
    "openssl": Tool(("openssl",), "openssl", "the configuration of nginx"),
    "caddy": Tool(("caddy",), "caddy", "the configuration of Caddy"),
    "zsh": Tool(("zsh",), "zsh", "completion and curl commands in zsh"),
    "fish": Tool(("fish",), "fish", "completion in fish"),
    "systemd": Tool(("systemd-analyze",), "systemd", "the unit of systemd"),
}


def missing(tools: Mapping[str, Tool] = TOOLS) -> dict[str, Tool]:
    """Return the programs that are not installed."""
    return {name: tool for name, tool in tools.items() if tool.path is None}


def reason(name: str) -> str:
    """Return why a test is skipped without this program."""
    return f"{name} is not installed: run `make system` or apt install {TOOLS[name].package}"


def unmet(required: str) -> list[str]:
    """Return a sentence for each program in the value of REQUIRE that cannot be used."""
    names = required.split()
    unknown = [name for name in names if name not in TOOLS]
    return [
        *(f"REQUIRE names {name}, which is none of: {', '.join(TOOLS)}." for name in unknown),
        *(
            f"REQUIRE names {name}, which is not installed. Without it {tool.subject} is not tested."
            f" Run `make system`, or install the package {tool.package}."
            for name, tool in missing().items()
            if name in names
        ),
    ]


def main(arguments: list[str]) -> None:
    """Print the missing programs, and those of which there is a faster one."""
    for name, tool in TOOLS.items():
        if tool.path is not None and not tool.is_slower:
            continue
        if arguments == ["--packages"]:
            print(tool.package)
            continue
        wanted = tool.package if tool.is_slower else name
        effect = "is tested with a slower program" if tool.is_slower else "is not tested"
        print(
            f"make: {wanted} is not installed: {tool.subject} {effect}. `make system` installs it.",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
