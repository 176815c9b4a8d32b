"""Imports what commands import: the fork server of the tests loads this module once.

A process that is forked from it starts within milliseconds; a new Python takes a second of processor
time before it begins to work.
"""

import gc
import importlib
import pkgutil

import vertexkit.cli

for module in pkgutil.walk_packages(vertexkit.cli.__path__, "vertexkit.cli."):
    importlib.import_module(module.name)

gc.freeze()  # a forked process neither examines nor copies what is here
