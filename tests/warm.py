"""Imports what commands import: the fork server of the tests loads this module once.

A process that is forked from it starts within milliseconds; a new Python takes a second of processor
time before it begins to work.
"""

import gc
import importlib
from pathlib import Path

import coverage

import vertexkit

RARE = ("vertexkit.__main__", "vertexkit.telemetry.otel_setup", "vertexkit.models")
"""Not imported: the first starts the command, the others need large libraries that few use."""

ROOT = Path(vertexkit.__file__).parent

for path in sorted(ROOT.rglob("*.py")):
    name = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
    if not name.startswith(RARE):
        importlib.import_module(name)

if (measured := coverage.Coverage.current()) is not None:
    measured.save()  # once: a forked process continues the measurement, and writes its own part

gc.freeze()  # a forked process neither examines nor copies what is here
