"""Imports what commands import: the fork server of the tests loads this module once.

A process that is forked from it starts within milliseconds; a new Python takes a second of processor
time before it begins to work.
"""

import gc

import coverage

from tests import vertexkit_modules

vertexkit_modules.load(rare=False)

if (measured := coverage.Coverage.current()) is not None:
    measured.save()  # once: a forked process continues the measurement, and writes its own part

gc.freeze()  # a forked process neither examines nor copies what is here
