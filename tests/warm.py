"""Imports what commands import: the fork server of the tests loads this module once.

A process that is forked from it starts within milliseconds; a new Python takes a second of processor
time before it begins to work.
"""

import gc
import importlib
import pkgutil

import coverage

import vertexkit

RARE = {"vertexkit.__main__", "vertexkit.telemetry.otel_setup"}
"""Not imported: the one starts the command, the other needs a library that few use."""

for module in pkgutil.walk_packages(vertexkit.__path__, "vertexkit."):
    if module.name not in RARE:
        importlib.import_module(module.name)

if (measured := coverage.Coverage.current()) is not None:
    measured.save()  # once: a forked process continues the measurement, and writes its own part

gc.freeze()  # a forked process neither examines nor copies what is here
