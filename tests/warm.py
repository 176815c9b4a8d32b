"""Imports what commands import: the fork server of the tests loads this module once.

A process that is forked from it starts within milliseconds; a new Python takes a second of processor
time before it begins to work.
"""

import gc
import importlib

import coverage

from tests import measuring, vertexkit_modules
from vertexkit.botone.certificates import tls_context

LAZY = (
    "anyio._backends._asyncio",
    "anyio.streams.memory",
    "typer._adapters",
    "typer._click.decorators",
    "uvicorn.lifespan.on",
)
"""Modules that their packages import when they are first used."""

APPS = (
    *("tests.chaos.failpoints", "tests.chaos.kill_blocks", "tests.chaos.versions"),
    *("tests.chaos.model_blocks", "tests.chaos.soak_blocks"),
)
"""What the services that tests kill run: most of the time of their start is its import."""

resume_measuring = measuring.pause_this_process()  # tests/collecting.py measures what runs here
vertexkit_modules.load(rare=False)
for module in (*LAZY, *APPS):
    importlib.import_module(module)
resume_measuring()
tls_context()  # reads the certificates of the authorities, which takes as long as a short command

if (measured := coverage.Coverage.current()) is not None:
    measured.save()  # once: a forked process continues the measurement, and writes its own part
    # This part names all files, also those that no process runs: the others need not look for them.
    measured._post_save_work = lambda: None  # pyrefly: ignore[method-assign]

gc.freeze()  # a forked process neither examines nor copies what is here
