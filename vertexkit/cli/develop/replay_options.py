"""The options of `vertexkit replay`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from vertexkit.cli.options import Json, PlatformHost
from vertexkit.errors import SettingsError


@dataclass(frozen=True)
class ReplayOptions:
    """How a recorded run is run again, and how that is shown."""

    must_match: Annotated[
        bool,
        typer.Option("--assert", help="Exit with code 1 if anything differs from the recording."),
    ] = False
    save_test: Annotated[
        bool,
        typer.Option(
            "--save-test",
            help="Do not run the block; write a pytest file that expects the recorded behaviour.",
        ),
    ] = False
    output: Annotated[Path, typer.Option("-o", "--output", help="File or folder of that test.")] = (
        Path("tests")
    )
    edit: Annotated[
        bool,
        typer.Option(
            "--edit", help="Edit the recorded inputs as JSON in $VISUAL or $EDITOR before the run."
        ),
    ] = False
    first: Annotated[
        int | None,
        typer.Option(
            "--from",
            metavar="N",
            min=1,
            help="Take the messages and steps before number N from the recording; send and call the "
            "others, without the recorded failures of the platform.",
            show_default=False,
        ),
    ] = None
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            help="Send the recorded call and its events to the service that runs there, as "
            "trigger --url does.",
            show_default=False,
        ),
    ] = None
    platform_host: PlatformHost = "127.0.0.1"
    as_json: Json = False

    def check(self, target: str | None) -> None:
        """Check that the options fit together.

        Args:
            target: the app that is named.

        Raises:
            SettingsError: two of them exclude each other.
        """
        chosen = {
            "--url": self.url is not None,
            "--save-test": self.save_test,
            "--assert": self.must_match,
            "--edit": self.edit,
            "--from": self.first is not None,
            "MODULE:APP": target is not None,
        }
        for first, others in {
            "--url": ("--save-test", "--assert", "--from", "MODULE:APP"),
            "--save-test": ("--assert", "--edit", "--from"),
        }.items():
            for other in others:
                if chosen[first] and chosen[other]:
                    raise SettingsError(f"{first} and {other} exclude each other")
