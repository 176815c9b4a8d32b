"""The findings of a check, and how they are printed."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Self

from rich.text import Text

from vertexkit.cli import output
from vertexkit.cli.options import EXIT_FAILED
from vertexkit.cli.translation import translate_sentence
from vertexkit.errors import VertexkitError

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


class Level(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of the check."""

    level: Level
    subject: str
    """What was checked: `app`, `settings`, `secrets`, `networks`, `journal`, `proxy`, `platform`, `clock`,
    `login`, `tracing` or a block's name."""
    message: str
    fix: str = ""
    """How to fix a problem."""

    @classmethod
    def failed(cls, subject: str, error: VertexkitError, fix: str = "") -> Self:
        """Return a failure: the error, and where docs/errors.md describes it."""
        return cls(Level.FAIL, subject, f"{error} [{error.reference}]", fix)


def exit_code(findings: Iterable[Finding], *, strict: bool = False) -> int:
    """Return 1 if there is a failure, else 0.

    Args:
        findings: of a check.
        strict: a warning counts, too.
    """
    failing = {Level.FAIL, Level.WARN} if strict else {Level.FAIL}
    return EXIT_FAILED if any(finding.level in failing for finding in findings) else 0


def show(
    findings: list[Finding], *, as_json: bool, marks: Mapping[Level, str] | None = None
) -> None:
    """Print findings.

    Args:
        findings: of a check.
        as_json: print one JSON object for each.
        marks: what each line starts with; by default the level's name.
    """
    if as_json:
        for finding in findings:
            output.print_json(asdict(finding))
        return
    console = output.console()
    width = max((len(finding.subject) for finding in findings), default=0)
    marks = marks or {level: level.value for level in Level}
    mark_width = max(map(len, marks.values())) + 1
    for finding in findings:
        line = Text(f"  {marks[finding.level]:<{mark_width}}", STYLES[finding.level])
        line.append(
            f" {finding.subject:<{width}}  {translate_sentence(finding.message)}", "default"
        )
        console.print(line, soft_wrap=True)
        if finding.fix:
            console.print(
                Text(f"{'':{width + mark_width + 5}}{translate_sentence(finding.fix)}", "dim"),
                soft_wrap=True,
            )
