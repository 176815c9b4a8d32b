"""Recorded runs: what went into a block, what came of it, moment by moment, as JSON lines."""

from vertexkit.recordings.folder import Shelf as Shelf
from vertexkit.recordings.format import REFUSED as REFUSED
from vertexkit.recordings.format import VERSION as VERSION
from vertexkit.recordings.format import Head as Head
from vertexkit.recordings.format import RecordedRun as RecordedRun
from vertexkit.recordings.recorder import Recorder as Recorder
from vertexkit.recordings.recorder import readable as readable
