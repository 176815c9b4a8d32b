"""The dialogs that the fake platform has from the start, generated from a seed."""

from array import array
from collections.abc import Sequence
from hashlib import blake2b
from random import Random
from uuid import UUID

from vertexkit.testing.platform.bots import BOTS, MAX_UPLOADS_PER_DIALOG, UPLOAD, Bot
from vertexkit.testing.platform.conversation import (
    COMPLETED,
    IN_PROCESS,
    INTERRUPTED,
    OPERATOR,
    FakeAnswer,
    FakeConversation,
)

FIRST_DIALOG_ID = 23
"""Id of the oldest dialog; it differs from the number in the dialog's name."""
FIRST_FILE_ID = 120
"""Id of the oldest file."""
FIRST_DAY_UNIX_SECONDS = 1_673_222_400
"""2023-01-09, a Monday, 00:00 UTC: the earliest creation of a seeded dialog."""
PERIOD_DAYS = 172
"""Number of days on which dialogs are created: to the end of June."""
WEEKDAY_WEIGHTS = (10, 11, 11, 10, 9, 5, 4)
"""Relative number of dialogs by day of the week, from Monday."""
HOUR_WEIGHTS = (2, 1, 1, 1, 2, 4, 7, 10, 12, 12, 11, 10, 11, 12, 11, 10, 9, 9, 8, 8, 6, 4, 3, 2)
"""Relative number of dialogs by hour, UTC."""
CITY_WEIGHTS: tuple[tuple[str | None, int], ...] = (
    ("Moscow", 24),
    ("Perm", 17),
    ("Saint Petersburg", 13),
    ("Yekaterinburg", 8),
    ("Kazan", 6),
    ("Novosibirsk", 6),
    ("Nizhny Novgorod", 4),
    ("Rostov-on-Don", 3),
    ("Vladivostok", 2),
    ("Kaliningrad", 2),
    ("Minsk", 3),
    ("Almaty", 3),
    ("Yerevan", 2),
    ("Amsterdam", 1),
    ("Meppel", 1),
    (None, 5),
)
SOURCE_WEIGHTS = (("web", 48), ("telegram", 30), ("whatsapp", 13), ("vk", 7), ("viber", 2))
STATUS_WEIGHTS = ((COMPLETED, 61), (INTERRUPTED, 22), (IN_PROCESS, 10), (OPERATOR, 7))
DOCUMENTATION_NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
"""Networks that RFC 5737 reserves for documentation."""
LOG_MEDIAN_SECONDS = {COMPLETED: 4.9, INTERRUPTED: 3.7, IN_PROCESS: 4.2, OPERATOR: 6.1}
"""The natural logarithm of the median duration in seconds."""
MAX_DURATION_SECONDS = 6 * 3600
"""Duration of the longest seeded dialog."""
NEVER_STARTED_SHARE = 0.5
"""Share of the dialogs in process in which there is no message."""
DELETED_FILE_SHARE = 0.06
"""Share of the uploaded files that were deleted later."""


class SeededConversations:
    """All seeded dialogs, oldest first, in columns: some 30 bytes for a dialog.

    The answers of a dialog are generated on demand, from the seed and the dialog's index.

    Attributes:
        created: when each was created, in Unix seconds.
        bot: the bot of each.
        updated: time of the last message of each, in Unix seconds; -1 if there is none.

    Args:
        seed: the same seed gives the same dialogs for the same count.
        count: how many there are.
    """

    def __init__(self, seed: int, count: int) -> None:
        random = Random(f"{seed} seeds")
        days = [(50 + day) * WEEKDAY_WEIGHTS[day % 7] for day in range(PERIOD_DAYS)]
        dates = random.choices(range(PERIOD_DAYS), days, k=count)
        hours = random.choices(range(24), HOUR_WEIGHTS, k=count)
        self._seed = seed
        self.created: array[int] = array(
            "q",
            sorted(
                FIRST_DAY_UNIX_SECONDS + day * 86_400 + hour * 3600 + int(random.random() * 3600)
                for day, hour in zip(dates, hours, strict=True)
            ),
        )
        self.bot: array[int] = array(
            "q", _draw(random, [(bot.id, bot.share) for bot in BOTS], count)
        )
        self._city = bytes(_draw(random, _indexed(CITY_WEIGHTS), count))
        self._source = bytes(_draw(random, _indexed(SOURCE_WEIGHTS), count))
        self._status = bytes(_draw(random, _indexed(STATUS_WEIGHTS), count))
        self._durations = array("q", (_duration(random, status) for status in self._status))
        self._never_started = bytes(
            STATUS_WEIGHTS[status][0] == IN_PROCESS and random.random() < NEVER_STARTED_SHARE
            for status in self._status
        )
        self.updated: array[int] = array(
            "q",
            (
                -1 if never_started else created + duration
                for created, duration, never_started in zip(
                    self.created, self._durations, self._never_started, strict=True
                )
            ),
        )

    def __len__(self) -> int:
        return len(self.created)

    def conversation(self, index: int, *, with_answers: bool = True) -> FakeConversation:
        """Generate the dialog at this index."""
        city = CITY_WEIGHTS[self._city[index]][0]
        never_started = bool(self._never_started[index])
        # A dialog without messages counts from its creation, for days, as in the document.
        duration = self._durations[index] * 400 if never_started else None
        conversation = FakeConversation(
            id=FIRST_DIALOG_ID + index,
            uuid=uuid_of(self._seed, index),
            number=index + 1,
            bot_id=self.bot[index],
            city=city,
            ip=None
            if city is None
            else f"{DOCUMENTATION_NETWORKS[index % 3]}.{index * 73 % 254 + 1}",
            source=SOURCE_WEIGHTS[self._source[index]][0],
            created=self.created[index],
            last_message_at=None if never_started else self.updated[index],
            duration=duration,
            own_status=STATUS_WEIGHTS[self._status[index]][0],
            started=not never_started,
        )
        if with_answers and not never_started:
            conversation.answers.extend(self._answers(index, conversation))
        return conversation

    def _answers(self, index: int, conversation: FakeConversation) -> list[FakeAnswer]:
        bot = next(bot for bot in BOTS if bot.id == conversation.bot_id)
        random = Random(f"{self._seed} {index}")
        asked = len(bot.questions)
        if conversation.own_status != COMPLETED:
            asked = _questions_answered(random, bot)
        answers, files = [], 0
        for question in bot.questions[:asked]:
            file, deleted = None, None
            if question.kind == UPLOAD:
                file = FIRST_FILE_ID + index * MAX_UPLOADS_PER_DIALOG + files
                files += 1
                deleted = random.random() < DELETED_FILE_SHARE
            answer = question.answer(random)
            answers.append(
                FakeAnswer(question.text, question.type, answer, question.variable, deleted, file)
            )
        return answers

    def has_file(self, number: int) -> bool:
        """Whether the file with this id was uploaded to a seeded dialog and not deleted later."""
        index = (number - FIRST_FILE_ID) // MAX_UPLOADS_PER_DIALOG
        if not 0 <= index < len(self):
            return False
        answers = self.conversation(index).answers
        return any(answer.file == number and not answer.deleted for answer in answers)


def uuid_of(seed: int, index: int) -> UUID:
    """Return the UUID of the dialog at this index; `index_of` inverts it without a table."""
    head = bytearray(blake2b(f"{seed} {index}".encode(), digest_size=12).digest())
    head[6] = head[6] & 0x0F | 0x40
    head[8] = head[8] & 0x3F | 0x80
    tail = index ^ _tail_mask(seed, bytes(head))
    return UUID(bytes=bytes(head) + tail.to_bytes(4))


def index_of(seed: int, uuid: UUID) -> int | None:
    """Return the index of the dialog with this UUID, or None."""
    head, tail = uuid.bytes[:12], uuid.bytes[12:]
    index = int.from_bytes(tail) ^ _tail_mask(seed, head)
    return index if uuid_of(seed, index) == uuid else None


def _tail_mask(seed: int, head: bytes) -> int:
    return int.from_bytes(blake2b(head, key=str(seed).encode()[:64], digest_size=4).digest())


def _indexed(shares: Sequence[tuple[object, int]]) -> list[tuple[int, int]]:
    return [(index, share) for index, (_, share) in enumerate(shares)]


def _draw(random: Random, shares: list[tuple[int, int]], count: int) -> list[int]:
    return random.choices([value for value, _ in shares], [share for _, share in shares], k=count)


def _duration(random: Random, status: int) -> int:
    median = LOG_MEDIAN_SECONDS[STATUS_WEIGHTS[status][0]]
    return min(MAX_DURATION_SECONDS, max(1, int(random.lognormvariate(median, 0.9))))


def _questions_answered(random: Random, bot: Bot) -> int:
    """How many questions were answered before the user left, more often at a phone or a file."""
    weights = [3 if question.kind in (UPLOAD, "phone") else 1 for question in bot.questions]
    return random.choices(range(len(weights)), weights)[0]
