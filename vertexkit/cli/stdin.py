"""Standard input as a text."""

import sys

from vertexkit.errors import SettingsError
from vertexkit.text import decode_file, replace_surrogates


def read_stdin() -> str:
    """Read standard input to its end.

    It is UTF-8, as everywhere in vertexkit; or in the encoding of the system, which pipes have on
    Windows.

    Raises:
        SettingsError: It is neither.
    """
    data = sys.stdin.buffer.read()
    try:
        return replace_surrogates(decode_file(data))
    except UnicodeDecodeError:
        pass
    try:
        return data.decode(sys.stdin.encoding)
    except UnicodeDecodeError:
        raise SettingsError("standard input is not UTF-8. Pass the text in UTF-8") from None
