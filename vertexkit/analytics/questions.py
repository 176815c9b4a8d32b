"""Counting questions and answers, in bounded memory."""

import json
from typing import Any

from vertexkit.analytics.report import Question
from vertexkit.analytics.shares import Shares
from vertexkit.botone.models import Answer
from vertexkit.text import sanitize

KEPT = 300
"""Questions that are counted each; the first ones met. A set of bots has rarely so many."""
ANSWERS = 500
"""Different answers to a question that are counted each."""
FEW = 5
"""Up to so many answers, each is told; among more, one that came once may tell who gave it."""
RARE = 200
"""An answer that fewer than one in so many gave is not told either."""
NAMELESS = "…"
"""A question without a text."""


class _Asked:
    """One question."""

    def __init__(self, text: str, variable: str | None) -> None:
        self.text = text
        self.variable = sanitize(variable or "") or None
        self.reached = self.answered = self.files = self.stopped = self.handed = 0
        self.positions = 0
        self.answers = Shares(ANSWERS)

    def read(self, answer: Answer) -> bool:
        """Count an answer; tells whether there was one."""
        if answer.deleted:
            return False
        if answer.file_id is not None:
            self.files += 1
            return True
        given = _texts(answer.answer)
        for text in given:
            self.answers.add(text)
        return bool(given)

    def question(self) -> Question:
        """The result."""
        total = self.answers.breakdown().total
        least = 1 if total < FEW else max(2, total // RARE)
        return Question(
            self.text,
            self.variable,
            self.reached,
            self.answered,
            self.files,
            self.stopped,
            self.handed,
            self.positions / self.reached,
            self.answers.breakdown(least),
            self.answers.different,
        )


class Questions:
    """All questions of all dialogs."""

    def __init__(self) -> None:
        self._asked: dict[str, _Asked] = {}

    def add(self, answers: tuple[Answer, ...], *, stopped: bool, handed: bool) -> None:
        """Count the answers of one dialog, in their order.

        Args:
            answers: may hold a question several times, if its bot goes in circles.
            stopped: the dialog went no further than its last question.
            handed: an operator has it now.
        """
        met: dict[str, tuple[_Asked, bool]] = {}
        for answer in answers:
            asked = self._find(answer)
            if asked is None:
                continue
            if asked.text not in met:
                asked.reached += 1
                asked.positions += len(met) + 1
            before = met.get(asked.text, (asked, False))[1]
            met[asked.text] = asked, asked.read(answer) or before
        for asked, has_answer in met.values():
            asked.answered += has_answer
        last = self._find(answers[-1]) if answers else None
        if last is not None:
            last.stopped += stopped
            last.handed += handed

    def _find(self, answer: Answer) -> _Asked | None:
        text = sanitize(answer.question or "") or NAMELESS
        asked = self._asked.get(text)
        if asked is None and len(self._asked) < KEPT:
            asked = self._asked[text] = _Asked(text, answer.variable)
        return asked

    def result(self) -> tuple[Question, ...]:
        """In the order in which dialogs reach them."""
        questions = [asked.question() for asked in self._asked.values()]
        return tuple(sorted(questions, key=lambda each: (each.position, -each.reached, each.text)))


def _texts(value: Any) -> list[str]:
    """What was answered; several, if several were chosen."""
    match value:
        case None | "" | [] | {}:
            return []
        case str():
            return [value] if sanitize(value) else []
        case list() | tuple():
            return [text for each in value for text in _texts(each)]
        case _:
            return [json.dumps(value, ensure_ascii=False, default=str)]
