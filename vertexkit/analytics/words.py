"""What a report says, in English and in Russian."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Language = Literal["en", "ru"]
THIN = "\u00a0"
"""Between thousands, and between a number and its unit: they stay on one line."""

TEXTS: dict[str, tuple[str, str]] = {
    "title": ("Dialogs", "Диалоги"),
    "dialogs": ("dialogs", "диалоги"),
    "all": ("Dialogs", "Диалогов"),
    "completed_share": ("Completed", "Завершено"),
    "of_started": ("of {n} started", "из {n} начатых"),
    "ratio": ("Completed per interrupted", "Завершённых на прерванный"),
    "ratio_note": ("{a} to {b}", "{a} к {b}"),
    "median": ("Median duration", "Медиана длительности"),
    "median_note": ("nine of ten within {p90}", "девять из десяти — до {p90}"),
    "endings": ("How dialogs end", "Чем кончаются диалоги"),
    "completed": ("completed", "завершены"),
    "interrupted": ("interrupted", "прерваны"),
    "in_process": ("in process", "в процессе"),
    "operator": ("with an operator", "у оператора"),
    "other": ("other", "иное"),
    "not_started": ("never started", "не начаты"),
    "statuses": ("Statuses", "Статусы"),
    "by_day": ("By day", "По дням"),
    "by_month": ("By month", "По месяцам"),
    "by_year": ("By year", "По годам"),
    "week": ("Weekdays and hours", "Дни недели и часы"),
    "peak": ("Busiest: {day}, {hour}", "Пик: {day}, {hour}"),
    "sum": ("all", "всего"),
    "month_days": ("Days of the month", "Дни месяца"),
    "bots": ("Bots", "Боты"),
    "cities": ("Cities", "Города"),
    "sources": ("Sources", "Источники"),
    "durations": ("Duration", "Длительность"),
    "durations_note": (
        "mean {mean}, median {median}, longest {longest}",
        "среднее {mean}, медиана {median}, максимум {longest}",
    ),
    "of_completed": ("completed ones: median {median}", "у завершённых медиана {median}"),
    "questions": ("Questions and answers", "Вопросы и ответы"),
    "way": ("Where dialogs stop", "Где останавливаются диалоги"),
    "way_note": (
        "How many dialogs reach each question, and how many end at it without being completed.",
        "Сколько диалогов доходит до вопроса и сколько на нём кончается, не завершившись.",
    ),
    "reached": ("reached {n}", "дошли {n}"),
    "answered": ("answered {p}", "ответили {p}"),
    "stopped": ("stopped {n}", "остановились {n}"),
    "handed": ("handed over {n}", "передано оператору {n}"),
    "files": ("files {n}", "файлов {n}"),
    "silent": ("Stopped before the first question", "Остановились до первого вопроса"),
    "different": ("different answers: {n}", "разных ответов: {n}"),
    "at_least": ("at least {n}", "не менее {n}"),
    "others": ("others", "прочие"),
    "missing": ("unknown", "неизвестно"),
    "more": ("and {n} more", "и ещё {n}"),
    "empty": ("No dialogs here.", "Диалогов нет."),
    "empty_note": (
        "Nothing fits what was asked for: look at the bot's number and the dates.",
        "Под запрос ничего не подошло: проверьте номер бота и даты.",
    ),
    "no_dates": ("No dialog has a date.", "Ни у одного диалога нет даты."),
    "no_durations": ("No dialog has a duration.", "Ни у одного диалога нет длительности."),
    "made": ("Made {when}", "Составлен {when}"),
    "zone": ("time zone {zone}", "часовой пояс {zone}"),
    "how": (
        (
            "A dialog is dated by its last message. Started: all but those created and never started. "
            "Answers that few people gave are counted among the others."
        ),
        (
            "Дата диалога — время последнего сообщения. Начатые — все, кроме созданных и не "
            "запущенных. Редкие ответы учтены среди прочих."
        ),
    ),
    "undated": ("Without a date: {n}.", "Без даты: {n}."),
    "undetailed": (
        "Answers were not read; vertexkit dialogs report --answers reads them.",
        "Ответы не читались; их читает vertexkit dialogs report --answers.",
    ),
    "rough": ("rounded: too many different values", "приблизительно: слишком много значений"),
}
WEEKDAYS = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "ru": ("Пн", "Вт", "Ср", "Чт", "Пт", "Сб", "Вс"),
}
MONTHS = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "ru": ("янв", "фев", "мар", "апр", "май", "июн", "июл", "авг", "сен", "окт", "ноя", "дек"),
}
UNITS = {"en": ("s", "min", "h", "d"), "ru": ("с", "мин", "ч", "дн")}


@dataclass(frozen=True, slots=True)
class Words:
    """A language: its texts, and how it writes figures."""

    language: Language

    def say(self, text: str, **values: str) -> str:
        """One of `TEXTS`, filled in."""
        english, russian = TEXTS[text]
        return (russian if self.language == "ru" else english).format(**values)

    def number(self, value: float, digits: int = 0) -> str:
        """12,345.6 or 12 345,6."""
        written = f"{value:,.{digits}f}"
        if self.language == "ru":
            written = written.replace(",", THIN).replace(".", ",")
        return written

    def percent(self, share: float) -> str:
        """12.3%; never 100% or 0% of what is only nearly so."""
        rounded = round(100 * share, 1)
        if rounded == 100 and share < 1:
            rounded = 99.9
        elif rounded == 0 and share > 0:
            rounded = 0.1
        digits = 0 if rounded in {0, 100} else 1
        return self.number(rounded, digits) + (f"{THIN}%" if self.language == "ru" else "%")

    def duration(self, seconds: float | None) -> str:
        """1 h 20 min: the two largest units."""
        if seconds is None:
            return "—"
        left, parts = round(seconds), []
        for unit, size in zip(reversed(UNITS[self.language]), (86_400, 3600, 60, 1), strict=True):
            count, left = divmod(left, size)
            if count:
                parts.append(f"{self.number(count)}{THIN}{unit}")
        return " ".join(parts[:2]) or f"0{THIN}{UNITS[self.language][0]}"

    def bin(self, low: float, high: float | None) -> str:
        """Up to 10 s, 10 to 30 s, ...: the upper end alone, or what it is longer than."""
        return f"> {self.duration(low)}" if high is None else f"< {self.duration(high)}"

    def weekday(self, day: int) -> str:
        """Of 0, Monday, to 6."""
        return WEEKDAYS[self.language][day]

    def month(self, name: str) -> str:
        """May 2023, of `2023-05`."""
        return f"{MONTHS[self.language][int(name[5:7]) - 1]} {name[:4]}"

    def day(self, name: str) -> str:
        """11 May 2023, of `2023-05-11`."""
        return f"{int(name[8:])} {self.month(name)}"

    def moment(self, when: datetime) -> str:
        """11 May 2023, 08:25."""
        return f"{self.day(when.date().isoformat())}, {when:%H:%M}"
