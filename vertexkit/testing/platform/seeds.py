"""The dialogs that the fake platform has from the start: made by chance, the same for a seed."""

from array import array
from collections.abc import Sequence
from hashlib import blake2b
from random import Random
from uuid import UUID

from vertexkit.testing.platform.bots import BOTS, UPLOAD, UPLOADS, Bot
from vertexkit.testing.platform.conversation import (
    COMPLETED,
    IN_PROCESS,
    INTERRUPTED,
    OPERATOR,
    Conversation,
    FakeAnswer,
)

FIRST_ID = 23
"""The oldest dialog's; an id and the number in a name are not the same."""
FIRST_FILE = 120
BEGIN = 1_673_222_400
"""2023-01-09, a Monday, 00:00 UTC: no seeded dialog is older."""
DAYS = 172
"""How many days they are spread over: to the end of June."""
WEEK = (10, 11, 11, 10, 9, 5, 4)
HOURS = (2, 1, 1, 1, 2, 4, 7, 10, 12, 12, 11, 10, 11, 12, 11, 10, 9, 9, 8, 8, 6, 4, 3, 2)
"""How much happens by hour, UTC."""
CITIES: tuple[tuple[str | None, int], ...] = (
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
SOURCES = (("web", 48), ("telegram", 30), ("whatsapp", 13), ("vk", 7), ("viber", 2))
STATUSES = ((COMPLETED, 61), (INTERRUPTED, 22), (IN_PROCESS, 10), (OPERATOR, 7))
NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
"""Those of documents: nobody's."""
TYPICAL = {COMPLETED: 4.9, INTERRUPTED: 3.7, IN_PROCESS: 4.2, OPERATOR: 6.1}
"""The natural logarithm of the median duration in seconds."""
LONGEST = 6 * 3600
SILENT = 0.5
"""The share of those in process in which nothing was ever said."""
DELETED = 0.06
"""The share of files that were deleted again."""


class Seeds:
    """All of them, oldest first, in columns: some 30 bytes for a dialog.

    What was answered in one is made only when asked for, from the seed and its index.

    Args:
        seed: the same seed gives the same dialogs for the same count.
        count: how many there are.
    """

    def __init__(self, seed: int, count: int) -> None:
        random = Random(f"{seed} seeds")
        days = [(50 + day) * WEEK[day % 7] for day in range(DAYS)]
        dates = random.choices(range(DAYS), days, k=count)
        hours = random.choices(range(24), HOURS, k=count)
        self._seed = seed
        self.created = array(
            "q",
            sorted(
                BEGIN + day * 86_400 + hour * 3600 + int(random.random() * 3600)
                for day, hour in zip(dates, hours, strict=True)
            ),
        )
        self.bot = array("q", _drawn(random, [(bot.id, bot.share) for bot in BOTS], count))
        self._city = bytes(_drawn(random, _places(CITIES), count))
        self._source = bytes(_drawn(random, _places(SOURCES), count))
        self._status = bytes(_drawn(random, _places(STATUSES), count))
        self._lasted = array("q", (_duration(random, status) for status in self._status))
        self._silent = bytes(
            STATUSES[status][0] == IN_PROCESS and random.random() < SILENT
            for status in self._status
        )
        self.updated = array(
            "q",
            (
                -1 if silent else created + lasted
                for created, lasted, silent in zip(
                    self.created, self._lasted, self._silent, strict=True
                )
            ),
        )
        """When each last changed; -1 for those in which nothing was said."""

    def __len__(self) -> int:
        return len(self.created)

    def conversation(self, index: int, *, whole: bool = True) -> Conversation:
        """The dialog at this index; not `whole`, it is without its answers."""
        city = CITIES[self._city[index]][0]
        silent = bool(self._silent[index])
        # Nothing said for days: counted from its creation, as in the document.
        lasted = self._lasted[index] * 400 if silent else None
        conversation = Conversation(
            id=FIRST_ID + index,
            uuid=uuid_of(self._seed, index),
            number=index + 1,
            bot_id=self.bot[index],
            city=city,
            ip=None if city is None else f"{NETWORKS[index % 3]}.{index * 73 % 254 + 1}",
            source=SOURCES[self._source[index]][0],
            created=self.created[index],
            spoken=None if silent else self.updated[index],
            lasted=lasted,
            marked=STATUSES[self._status[index]][0],
            started=not silent,
        )
        if whole and not silent:
            conversation.answers.extend(self._answers(index, conversation))
        return conversation

    def _answers(self, index: int, conversation: Conversation) -> list[FakeAnswer]:
        bot = next(bot for bot in BOTS if bot.id == conversation.bot_id)
        random = Random(f"{self._seed} {index}")
        asked = len(bot.questions)
        if conversation.marked != COMPLETED:
            asked = _stopped_at(random, bot)
        answers, files = [], 0
        for question in bot.questions[:asked]:
            file, deleted = None, None
            if question.kind == UPLOAD:
                file = FIRST_FILE + index * UPLOADS + files
                files += 1
                deleted = random.random() < DELETED
            answer = question.answer(random)
            answers.append(
                FakeAnswer(question.text, question.type, answer, question.variable, deleted, file)
            )
        return answers

    def has_file(self, number: int) -> bool:
        """Whether the file of this number was uploaded in one of them and not deleted since."""
        index = (number - FIRST_FILE) // UPLOADS
        if not 0 <= index < len(self):
            return False
        answers = self.conversation(index).answers
        return any(answer.file == number and not answer.deleted for answer in answers)


def uuid_of(seed: int, place: int) -> UUID:
    """The UUID of the dialog at this place; `place_of` finds the way back without a table."""
    head = bytearray(blake2b(f"{seed} {place}".encode(), digest_size=12).digest())
    head[6] = head[6] & 0x0F | 0x40
    head[8] = head[8] & 0x3F | 0x80
    tail = place ^ _mask(seed, bytes(head))
    return UUID(bytes=bytes(head) + tail.to_bytes(4))


def place_of(seed: int, uuid: UUID) -> int | None:
    """The place whose UUID this is, or None."""
    head, tail = uuid.bytes[:12], uuid.bytes[12:]
    place = int.from_bytes(tail) ^ _mask(seed, head)
    return place if uuid_of(seed, place) == uuid else None


def _mask(seed: int, head: bytes) -> int:
    return int.from_bytes(blake2b(head, key=str(seed).encode()[:64], digest_size=4).digest())


def _places(shares: Sequence[tuple[object, int]]) -> list[tuple[int, int]]:
    return [(place, share) for place, (_, share) in enumerate(shares)]


def _drawn(random: Random, shares: list[tuple[int, int]], count: int) -> list[int]:
    return random.choices([what for what, _ in shares], [share for _, share in shares], k=count)


def _duration(random: Random, status: int) -> int:
    median = TYPICAL[STATUSES[status][0]]
    return min(LONGEST, max(1, int(random.lognormvariate(median, 0.9))))


def _stopped_at(random: Random, bot: Bot) -> int:
    """How many questions were answered before the user stopped: phones and files scare."""
    hard = [3 if question.kind in (UPLOAD, "phone") else 1 for question in bot.questions]
    return random.choices(range(len(hard)), hard)[0]
