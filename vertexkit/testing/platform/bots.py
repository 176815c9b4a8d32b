"""The bots of the seeded dialogs: their questions, and the answers that users give."""

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
"""The kind of a question whose answer is an uploaded file."""


@dataclass(frozen=True, slots=True)
class BotQuestion:
    """One question of a bot.

    Attributes:
        text: the question.
        type: the platform's name of the answer's type.
        variable: the name under which the bot keeps the answer.
        kind: how the answer is generated: a name in `ANSWER_GENERATORS`, "choice", "choices" or `UPLOAD`.
        choices: the possible answers, the most frequent first.
    """

    text: str
    type: str
    variable: str | None
    kind: str = "choice"
    choices: tuple[Any, ...] = ()

    def answer(self, random: Random) -> Any:
        """Generate an answer; None for an upload."""
        if self.kind == "choice":
            return random.choices(self.choices, range(len(self.choices) * 2, 0, -2))[0]
        if self.kind == "choices":
            chosen = random.sample(self.choices, random.randint(1, len(self.choices)))
            return sorted(chosen, key=self.choices.index)
        return None if self.kind == UPLOAD else ANSWER_GENERATORS[self.kind](random)


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot.

    Attributes:
        id: its id.
        share: how many of a hundred dialogs it leads.
        questions: in the order in which it asks them.
    """

    id: int
    share: int
    questions: tuple[BotQuestion, ...]


ANSWER_GENERATORS: dict[str, Callable[[Random], Any]] = {
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
            BotQuestion("Как вас зовут?", "Text", "name", "name"),
            BotQuestion(
                "Оцените нашу работу от 1 до 5", "Number", "score", choices=(5, 4, 3, 1, 2)
            ),
            BotQuestion("Порекомендуете нас друзьям?", "Buttons", "nps", choices=("Да", "Нет")),
            BotQuestion(
                "Что можно улучшить?",
                "Checkbox",
                "improve",
                "choices",
                ("Скорость ответа", "Цены", "Приложение", "Вежливость"),
            ),
            BotQuestion("Оставьте отзыв", "Text", None, "review"),
            BotQuestion("Ваша почта", "Email", "email", "email"),
        ),
    ),
    Bot(
        698,
        26,
        (
            BotQuestion(
                " Что выберете?",
                "Buttons",
                None,
                choices=("Статус заказа", "Возврат", "Оплата", "Другое"),
            ),
            BotQuestion("Номер заказа", "Text", "order", "order"),
            BotQuestion("Опишите вопрос", "Text", "question", "request"),
            BotQuestion("Приложите снимок экрана", "File", "screenshot", UPLOAD),
        ),
    ),
    Bot(
        1502,
        16,
        (
            BotQuestion("Имя и фамилия", "Text", "name", "name"),
            BotQuestion("Телефон", "Phone", "phone", "phone"),
            BotQuestion("Сумма кредита, ₽", "Number", "amount", "amount"),
            BotQuestion("Срок", "Buttons", "months", choices=("12", "24", "36", "60")),
            BotQuestion("Загрузите паспорт", "File", "passport", UPLOAD),
            BotQuestion("Загрузите справку о доходах", "File", "income", UPLOAD),
        ),
    ),
    Bot(
        1173,
        10,
        (
            BotQuestion("Куда вас записать?", "Buttons", "branch", choices=BRANCHES),
            BotQuestion("На какой день?", "Date", "day", "date"),
            BotQuestion("Телефон", "Phone", "phone", "phone"),
        ),
    ),
    Bot(
        1619,
        4,
        (
            BotQuestion("Ask Chat GPT", "Text", "prompt", "request"),
            BotQuestion("ChatGPT", "Text", None, UPLOAD),
        ),
    ),
)
"""A survey, a helpdesk, a loan application, an appointment, a chat with a model."""
MAX_UPLOADS_PER_DIALOG = max(
    sum(question.kind == UPLOAD for question in bot.questions) for bot in BOTS
)
"""The largest number of files that one dialog can have."""
