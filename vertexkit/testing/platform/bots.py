"""The bots of the fake platform's own dialogs: what they ask, and what people answer."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

NAMES = ("Анна", "Мария", "Ольга", "Дарья", "Иван", "Пётр", "Сергей", "Тимур", "Kim", "Alex")
REVIEWS = (
    "Всё понравилось, спасибо!",
    "Долго ждал ответа",
    "Оператор помог, но не с первого раза",
    "Нормально",
    "Приложение вылетает при оплате;\nпришлось звонить",
    'Написано «за 1 день», а ждал "три"',
)
REQUESTS = (
    "Не приходит код подтверждения",
    "Как поменять тариф?",
    "Хочу вернуть заказ, он пришёл не тот",
    "Где посмотреть выписку?",
    "How can you help me?",
)
BRANCHES = ("ул. Ленина, 12", "пр. Мира, 5", "ТЦ «Радуга»")
UPLOAD = "upload"
"""The kind of a question that is answered with a file."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a bot.

    Attributes:
        text: what it asks.
        type: what the platform calls the answer's type.
        variable: what the answer is kept under.
        kind: how people answer: a name in `MAKERS`, "choice", "choices" or `UPLOAD`.
        choices: what there is to choose from, the most frequent first.
    """

    text: str
    type: str
    variable: str | None
    kind: str = "choice"
    choices: tuple[Any, ...] = ()

    def answer(self, random: Random) -> Any:
        """What somebody answers; None to an upload."""
        if self.kind == "choice":
            return random.choices(self.choices, range(len(self.choices) * 2, 0, -2))[0]
        if self.kind == "choices":
            chosen = random.sample(self.choices, random.randint(1, len(self.choices)))
            return sorted(chosen, key=self.choices.index)
        return None if self.kind == UPLOAD else MAKERS[self.kind](random)


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot: its id, how many of a hundred dialogs are its own, and what it asks in order."""

    id: int
    share: int
    questions: tuple[Question, ...]


MAKERS: dict[str, Callable[[Random], Any]] = {
    "name": lambda random: random.choice(NAMES),
    "phone": lambda random: f"+7 999 000-{random.randrange(100):02}-{random.randrange(100):02}",
    "email": lambda random: f"user{random.randrange(1000)}@example.com",
    "amount": lambda random: random.randrange(5, 300) * 10_000,
    "date": lambda random: f"2023-{random.randint(1, 12):02}-{random.randint(1, 28):02}",
    "review": lambda random: random.choice(REVIEWS),
    "request": lambda random: random.choice(REQUESTS),
    "order": lambda random: f"A-{random.randrange(10_000, 99_999)}",
}

BOTS = (
    Bot(
        1446,
        44,
        (
            Question("Как вас зовут?", "Text", "name", "name"),
            Question("Оцените нашу работу от 1 до 5", "Number", "score", choices=(5, 4, 3, 1, 2)),
            Question("Порекомендуете нас друзьям?", "Buttons", "nps", choices=("Да", "Нет")),
            Question(
                "Что можно улучшить?",
                "Checkbox",
                "improve",
                "choices",
                ("Скорость ответа", "Цены", "Приложение", "Вежливость"),
            ),
            Question("Оставьте отзыв", "Text", None, "review"),
            Question("Ваша почта", "Email", "email", "email"),
        ),
    ),
    Bot(
        698,
        26,
        (
            Question(
                " Что выберете?",
                "Buttons",
                None,
                choices=("Статус заказа", "Возврат", "Оплата", "Другое"),
            ),
            Question("Номер заказа", "Text", "order", "order"),
            Question("Опишите вопрос", "Text", "question", "request"),
            Question("Приложите снимок экрана", "File", "screenshot", UPLOAD),
        ),
    ),
    Bot(
        1502,
        16,
        (
            Question("Имя и фамилия", "Text", "name", "name"),
            Question("Телефон", "Phone", "phone", "phone"),
            Question("Сумма кредита, ₽", "Number", "amount", "amount"),
            Question("Срок", "Buttons", "months", choices=("12", "24", "36", "60")),
            Question("Загрузите паспорт", "File", "passport", UPLOAD),
            Question("Загрузите справку о доходах", "File", "income", UPLOAD),
        ),
    ),
    Bot(
        1173,
        10,
        (
            Question("Куда вас записать?", "Buttons", "branch", choices=BRANCHES),
            Question("На какой день?", "Date", "day", "date"),
            Question("Телефон", "Phone", "phone", "phone"),
        ),
    ),
    Bot(
        1619,
        4,
        (
            Question("Ask Chat GPT", "Text", "prompt", "request"),
            Question("ChatGPT", "Text", None, UPLOAD),
        ),
    ),
)
"""Some of everything: the survey, the helpdesk, the loan, the appointment, the chat."""
UPLOADS = max(sum(question.kind == UPLOAD for question in bot.questions) for bot in BOTS)
"""The most files that one dialog can have."""
