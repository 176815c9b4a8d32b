"""Recordings of block calls: the file format, its readers and its writers.

| module | what it is |
|---|---|
| `format` | the values: `Recording` and its `RecordingHeader`; reading of lines |
| `contents` | the waits of handlers and the data of their events, as JSON |
| `recorder` | `Recorder` writes the lines of one recording as they happen |
| `folder` | `RecordingsFolder` creates, finds, lists and deletes recordings |
| `generated_test` | generates a pytest module from a recording |
| `live` | `ServiceRecorder` records the executions of a running service |

`testing/recorded` has the fields of runs against the fake platform, `testing/replay` runs the
current code with a recording. docs/runs.md describes the format.
"""

from vertexkit.recordings.folder import RecordingsFolder as RecordingsFolder
from vertexkit.recordings.format import FORMAT_VERSION as FORMAT_VERSION
from vertexkit.recordings.format import REJECTED as REJECTED
from vertexkit.recordings.format import RecordedWait as RecordedWait
from vertexkit.recordings.format import Recording as Recording
from vertexkit.recordings.format import RecordingHeader as RecordingHeader
from vertexkit.recordings.recorder import Recorder as Recorder
from vertexkit.recordings.recorder import decode_body as decode_body
