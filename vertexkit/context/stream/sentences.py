"""Where a sentence ends, in Russian and English."""

from typing import Literal

SentenceEnd = Literal["yes", "no", "maybe"]

_CLOSERS = "\"'»”’)]*_~"
_OPENERS = "\"'«„“‘([*_~"
_SHORT = (
    "акад англ вв гг гл г-жа г-н гос гр доп доц др д-р долл изд илл им инж исп кв корп коп куб"
    " лат мин млн млрд напр нем обл орг пер пл пос пп прим просп проф пр ред рис руб рус сб св"
    " сек см сокр ср ст стр табл тел тыс ул усл чел шт экз"
    " al approx apr aug ave bros capt cf col corp dec dept dr ed eds eg esp etc feb fig gen gov"
    " hon hr ie inc jan jr lt ltd messrs mr mrs ms mt nov oct ph.d pp prof rev sen sep sept sgt sr"
    " st vol vs"
)
_ABBREVIATIONS = frozenset(_SHORT.split())


def ends_sentence(word: str) -> SentenceEnd:
    """Return whether a word ends a sentence.

    Args:
        word: The word with the punctuation around it.

    Returns:
        `maybe` if a quotation or a bracket ends with the sentence: then the next word decides.
    """
    core = word.rstrip(_CLOSERS)
    stem = core.rstrip(".!?…")
    if stem == core:
        return "no"
    name = stem.lstrip(_OPENERS).lower()
    letters = bool(name) and all(len(part) == 1 and part.isalpha() for part in name.split("."))
    if core == stem + "." and (letters or name in _ABBREVIATIONS):
        return "no"
    return "yes" if core == word else "maybe"
