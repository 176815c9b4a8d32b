"""The words for a dialog's status. The platform's document has some of them in Russian, too."""

STATUS_WORDS: dict[str, str] = {
    "оператор": "operator",
    "в-процессе": "in-process",
    "завершен": "completed",
    "завершён": "completed",
    "прерван": "interrupted",
    "создан": "created",
    "новый": "new",
}
"""Russian words, normalised, and the English words for the same statuses."""


def normalise_status(status: str) -> str:
    """Return a status in lower case, with hyphens, and in English where its word is known.

    Args:
        status: as the platform sent it.
    """
    word = status.strip().casefold().replace("_", "-").replace(" ", "-")
    return STATUS_WORDS.get(word, word)
