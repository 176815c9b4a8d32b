"""Scores: questions that are answered with numbers from 1 to 5 or from 0 to 10."""

from collections import Counter

from vertexkit.analytics.report import ScoreStatistics

SCORES = {str(number): number for number in range(11)}
"""The answers that are scores."""
MIN_ANSWERS = 5
"""With fewer answers, a question is not recognised as one with scores."""
MIN_SHARE = 0.9
"""The part of the answers that must be scores."""
PROMOTER, DETRACTOR = 9, 6
"""The lowest score of a promoter and the highest of a detractor."""


class ScoreCounter:
    """Counts the answers of a question that are scores."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._others = 0

    def add(self, text: str) -> None:
        """Count an answer."""
        score = SCORES.get(text.strip())
        if score is None:
            self._others += 1
        else:
            self._counts[score] += 1

    def statistics(self) -> ScoreStatistics | None:
        """Return the result; None if the question is not answered with scores."""
        count = self._counts.total()
        if count < MIN_ANSWERS or count < MIN_SHARE * (count + self._others):
            return None
        if len(self._counts) < 2:  # a constant is not an opinion
            return None
        lowest, highest = (1, 5) if self._counts.keys() <= set(range(1, 6)) else (0, 10)
        mean = sum(score * number for score, number in self._counts.items()) / count
        nps = None
        if highest == 10:
            promoters = sum(n for score, n in self._counts.items() if score >= PROMOTER)
            detractors = sum(n for score, n in self._counts.items() if score <= DETRACTOR)
            nps = 100 * (promoters - detractors) / count
        counts = tuple(self._counts[score] for score in range(lowest, highest + 1))
        return ScoreStatistics(lowest, highest, count, mean, counts, nps)
