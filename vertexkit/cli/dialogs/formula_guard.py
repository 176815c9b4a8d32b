"""Keeps a spreadsheet from calculating what a user has written in a dialog."""

import re

INVISIBLE = (
    r"\s\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
)
"""Characters that some spreadsheets leave out at the start of a cell."""
SIGNS = r"=+\-@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20"
"""The signs that start a formula, in each of their widths."""
SEPARATORS = r";,\t\r\n|"
"""What one program or another takes for the end of a cell: it depends on the language of Windows,
not on the file."""
NUMBER = r"[+\-]?[\d .()\-]+(?:[;,\t\r\n]|\Z)"
"""A number or a phone number, which is not a formula although it may start like one."""
RISKY = re.compile(rf"(?:\A|(?<=[{SEPARATORS}]))(?=[{INVISIBLE}]*(?!{NUMBER})[{SIGNS}])")
"""The place before a formula: at the start, or where a program may start a new cell."""
RISKY_START = "\t\r\n"
"""Characters that are left out at the start, so that what follows them counts."""
SEPARATED = re.compile(f"[{SEPARATORS}]")


def guard(text: str) -> str:
    """Return a text for a cell of a CSV file with `'` before each part that may be calculated."""
    if not SEPARATED.search(text):  # one cell for every program
        return f"'{text}" if RISKY.match(text) else text
    guarded = RISKY.sub("'", text)
    return f"'{guarded}" if guarded[0] in RISKY_START else guarded
