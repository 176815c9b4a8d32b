"""Generated files that users uploaded: valid PNG, PDF, CSV and text, with realistic names."""

import re
import struct
import zlib
from dataclasses import dataclass
from random import Random
from urllib.parse import quote

UNQUOTABLE = re.compile(r"[^ !#-\[\]-~]")
"""Characters that the quoted `filename` of a `Content-Disposition` cannot hold."""
FILE_NAMES = (
    ("паспорт, разворот.png", "image/png"),
    ("Справка 2-НДФЛ.pdf", "application/pdf"),
    ("Screenshot_2023-05-11_08-25-26.png", "image/png"),
    ("отзыв.txt", "text/plain"),
    ("выписка за май.csv", "text/csv"),
    ("document (1).pdf", "application/pdf"),
)
PDF_OBJECTS = (
    "<</Type/Catalog/Pages 2 0 R>>",
    "<</Type/Pages/Kids[3 0 R]/Count 1>>",
    "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Contents 4 0 R/Resources 6 0 R>>",
    "<</Length {length}>>stream\n{content}\nendstream",
    "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    "<</Font<</F 5 0 R>>>>",
)
"""The objects of the smallest document with a line on its page."""


@dataclass(frozen=True, slots=True)
class FakeFile:
    """An uploaded file.

    Attributes:
        id: the `fileId` of methods 4 and 13.
        name: the user's name for it, served without any change.
        content: its bytes.
        media_type: its `Content-Type`.
    """

    id: int
    name: str
    content: bytes
    media_type: str = "application/octet-stream"

    @property
    def disposition(self) -> str:
        """The `Content-Disposition`: the name in ASCII for old clients, and in full."""
        ascii_name = UNQUOTABLE.sub("_", self.name)
        return (
            f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(self.name, safe='')}"
        )


def generate_file(seed: int, number: int) -> FakeFile:
    """Generate the file with this id; it is always the same for the same seed."""
    random = Random(f"{seed} file {number}")
    name, media_type = random.choice(FILE_NAMES)
    if media_type == "image/png":
        content = _png(random)
    elif media_type == "application/pdf":
        content = _pdf(f"File {number}: {random.randrange(1_000_000)}")
    elif media_type == "text/csv":
        lines = [f"{day:02}.05.2023;{random.randrange(100, 9_000)},00" for day in range(1, 29)]
        content = "\r\n".join(["Дата;Сумма", *lines, ""]).encode("utf-8-sig")
    else:
        content = f"Файл {number}. Спасибо, всё понравилось!\n".encode() * random.randint(1, 40)
    return FakeFile(number, name, content, media_type)


def _png(random: Random) -> bytes:
    width, height = random.randint(8, 96), random.randint(8, 96)
    shade = random.randrange(256)
    rows = b"".join(
        b"\0" + bytes((shade + across * down) % 256 for across in range(width))
        for down in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _pdf(line: str) -> bytes:
    content = f"BT /F 12 Tf 20 50 Td ({line}) Tj ET"
    document, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(PDF_OBJECTS, 1):
        offsets.append(len(document))
        filled = body.replace("{length}", str(len(content))).replace("{content}", content)
        document += f"{number} 0 obj{filled}endobj\n".encode()
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(offsets) + 1
    return (
        document
        + (
            f"xref\n0 {size}\n0000000000 65535 f \n{table}"
            f"trailer<</Size {size}/Root 1 0 R>>\nstartxref\n{len(document)}\n%%EOF\n"
        ).encode()
    )
