"""Recorded runs: what went into a block, what came of it, moment by moment, as JSON lines."""

from vertexkit.runs.recorder import Recorder as Recorder
from vertexkit.runs.recorder import readable as readable
from vertexkit.runs.run import REFUSED as REFUSED
from vertexkit.runs.run import VERSION as VERSION
from vertexkit.runs.run import Head as Head
from vertexkit.runs.run import RecordedRun as RecordedRun
from vertexkit.runs.shelf import Shelf as Shelf
