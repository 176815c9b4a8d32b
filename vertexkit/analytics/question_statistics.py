"""Counts the questions of dialogs and their answers, with bounded memory."""

import json
from typing import Any

from vertexkit.analytics.breakdowns import BreakdownCounter
from vertexkit.analytics.dialog_ids import FigureIds
from vertexkit.analytics.report import QuestionStatistics
from vertexkit.analytics.scores import ScoreCounter
from vertexkit.botone.models import Answer
from vertexkit.text import sanitize

MAX_QUESTIONS = 300
"""Different questions that are counted; further ones are ignored. Bots rarely have more."""
MAX_ANSWERS = 500
"""Different answers to a question in the report."""
SHOW_ALL_BELOW_ANSWERS = 5
"""With fewer answers than this, all of them are in the report. With more, an answer that occurred
once could identify the person who gave it."""
RARE_ANSWER_ONE_IN = 200
"""An answer that accounts for less than one in this many answers is not in the report either."""
UNTITLED_QUESTION = "…"
"""The text of a question without a text."""


class _Question:
    """The counters of one question."""

    def __init__(self, text: str, variable: str | None, ids: FigureIds | None) -> None:
        self.ids = ids
        self.text = text
        self.variable = sanitize(variable or "") or None
        self.reached = self.answered = self.files = self.stopped = self.handed_over = 0
        self.position_sum = 0
        self.answers = BreakdownCounter(MAX_ANSWERS)
        self.scores = ScoreCounter()

    def add_answer(self, answer: Answer) -> bool:
        """Count an answer; return whether the question was answered."""
        if answer.deleted:
            return False
        if answer.file_id is not None:
            self.files += 1
            return True
        texts = _answer_texts(answer.answer)
        for text in texts:
            self.answers.add(text)
            self.scores.add(text)
        return bool(texts)

    def keep_id(self, dialog_id: str, **figures: bool) -> None:
        """Keep the id of a dialog for those of the figures in which it is counted."""
        if self.ids is None:
            return
        for name, is_counted in figures.items():
            if is_counted:
                self.ids.add(name, dialog_id)

    def statistics(self) -> QuestionStatistics:
        """Return the result."""
        total = self.answers.breakdown().total
        frequent = max(2, total // RARE_ANSWER_ONE_IN)
        min_count = 1 if total < SHOW_ALL_BELOW_ANSWERS else frequent
        return QuestionStatistics(
            self.text,
            self.variable,
            self.reached,
            self.answered,
            self.files,
            self.stopped,
            self.handed_over,
            self.position_sum / self.reached,
            self.answers.breakdown(min_count),
            self.answers.different,
            self.scores.statistics(),
        )


class QuestionCounter:
    """Counts the questions of all dialogs.

    Args:
        ids: the figures whose ids are kept; None keeps none.
    """

    def __init__(self, ids: FigureIds | None = None) -> None:
        self.dialogs: int = 0
        self.stopped_before: int = 0
        self._ids = ids
        self._questions: dict[str, _Question] = {}

    def add(
        self, answers: tuple[Answer, ...], *, stopped: bool, handed_over: bool, dialog_id: str = ""
    ) -> None:
        """Count the answers of one dialog.

        Args:
            answers: in the order of the dialog. A question may occur several times.
            stopped: whether the dialog ended or waits at its last question, without an operator.
            handed_over: whether an operator conducts the dialog.
            dialog_id: the dialog's id, if ids are kept.
        """
        self.dialogs += 1
        if stopped and not answers:
            self.stopped_before += 1
            if self._ids is not None:
                self._ids.add("stopped:0", dialog_id)
        in_dialog: dict[str, tuple[_Question, bool]] = {}
        for answer in answers:
            question = self._find(answer)
            if question is None:
                continue
            if question.text not in in_dialog:
                question.reached += 1
                question.position_sum += len(in_dialog) + 1
            answered_before = in_dialog.get(question.text, (question, False))[1]
            in_dialog[question.text] = question, question.add_answer(answer) or answered_before
        for question, answered in in_dialog.values():
            question.answered += answered
            question.keep_id(dialog_id, reached=True, answered=answered)
        last = self._find(answers[-1]) if answers else None
        if last is not None:
            last.stopped += stopped
            last.handed_over += handed_over
            last.keep_id(dialog_id, stopped=stopped, handed_over=handed_over)

    def _find(self, answer: Answer) -> _Question | None:
        text = sanitize(answer.question or "") or UNTITLED_QUESTION
        question = self._questions.get(text)
        if question is None and len(self._questions) < MAX_QUESTIONS:
            ids = None if self._ids is None else self._ids.of_question()
            question = self._questions[text] = _Question(text, answer.variable, ids)
        return question

    def statistics(self) -> list[tuple[QuestionStatistics, dict[str, tuple[str, ...]]]]:
        """Return the questions in the order in which dialogs reach them.

        Returns:
            Each question, with the ids of dialogs by figure (`stopped`, ...), if ids are kept.
        """
        questions = [
            (question.statistics(), {} if question.ids is None else question.ids.all())
            for question in self._questions.values()
        ]
        return sorted(
            questions, key=lambda item: (item[0].position, -item[0].reached, item[0].text)
        )


def _answer_texts(value: Any) -> list[str]:
    """Return the texts of an answer; several if several choices were selected."""
    match value:
        case None | "" | [] | {}:
            return []
        case str():
            return [value] if sanitize(value) else []
        case list() | tuple():
            return [text for item in value for text in _answer_texts(item)]
        case _:
            return [json.dumps(value, ensure_ascii=False, default=str)]
