"""The chunks of a stream become texts."""

import pytest

from vertexkit.context.stream.reader import ChunkReader


@pytest.mark.parametrize(
    "chunks",
    [
        ["cut \ud83d", "\ude00 whole"],
        ["\ud83d", None, "", "\ude00", " whole"],
        ["a\ud83d\ude00b\ud83d", "\ude00"],
    ],
)
def test_a_character_that_is_cut_in_the_middle_of_a_text_is_joined(
    chunks: list[str | None],
) -> None:
    """The first half of a character waits for the second, whatever stands before and after it."""
    reader = ChunkReader()
    texts = [reader.read(chunk) for chunk in chunks]
    assert not any("\ud800" <= text[-1:] <= "\udbff" for text in texts)
    assert reader.rest() == ""
    joined = "".join(chunk or "" for chunk in chunks)
    assert "".join(texts) == joined
    assert joined.encode("utf-16", "surrogatepass").decode("utf-16").count("\U0001f600") >= 1


def test_half_a_character_at_the_end_is_the_rest() -> None:
    """If its second half never comes, it is not lost without a trace."""
    reader = ChunkReader()
    assert reader.read("cut \ud83d") == "cut "
    assert reader.rest() == "\ud83d"
    assert reader.rest() == ""
