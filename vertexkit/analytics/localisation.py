"""The texts and the number formats of reports, in English and in Russian."""

from dataclasses import dataclass
from datetime import datetime

from vertexkit.text import Language as Language

NO_BREAK_SPACE = "\u00a0"
"""Between thousands, and between a number and its unit, so that they stay on one line."""

TEXTS: dict[str, tuple[str, str]] = {
    "title": ("Dialogs", "Диалоги"),
    "all_dialogs": ("Dialogs", "Диалоги"),
    "completion_rate": ("Completed", "Завершено"),
    "started": ("of {n} started", "из {n} начатых"),
    "per_interrupted": ("Completed per interrupted", "Завершённых на один прерванный"),
    "per_interrupted_note": ("{a} to {b}", "{a} к {b}"),
    "median": ("Median duration of completed", "Медиана длительности завершённых"),
    "median_note": ("90% within {p90}", "90\u00a0% — не дольше {p90}"),
    "outcomes": ("Outcomes of dialogs", "Итоги диалогов"),
    "completed": ("completed", "завершены"),
    "interrupted": ("interrupted", "прерваны"),
    "in_process": ("in process", "в процессе"),
    "operator": ("with an operator", "у оператора"),
    "other": ("other status", "другой статус"),
    "not_started": ("not started", "не запущены"),
    "statuses": ("Platform statuses", "Статусы платформы"),
    "by_day": ("By day", "По дням"),
    "by_week": ("By week", "По неделям"),
    "by_month": ("By month", "По месяцам"),
    "by_year": ("By year", "По годам"),
    "week": ("Weekdays and hours", "Дни недели и часы"),
    "peak": ("Peak: {day}, {hour}", "Пик: {day}, {hour}"),
    "total": ("total", "всего"),
    "month_days": ("Days of the month", "Дни месяца"),
    "bots": ("Bots", "Боты"),
    "cities": ("Cities", "Города"),
    "sources": ("Sources", "Источники"),
    "durations": ("Duration", "Длительность"),
    "durations_note": (
        "mean {mean}, median {median}, maximum {longest}",
        "среднее {mean}, медиана {median}, максимум {longest}",
    ),
    "completed_median": (
        "median of completed dialogs: {median}",
        "медиана завершённых диалогов: {median}",
    ),
    "running_left_out": (
        "without dialogs in process: {n}",
        "без диалогов в процессе: {n}",
    ),
    "partial": (
        "Paler columns are periods that are not complete.",
        "Бледные столбцы — неполные периоды.",
    ),
    "outside": (
        "Not in the chart: {n} dialogs of other dates.",
        "На графике нет диалогов с другими датами: {n}.",
    ),
    "rate_note": (
        "Completed dialogs, of those that were started.",
        "Доля завершённых диалогов среди начатых.",
    ),
    "completion_by_bots": ("Completed by bot", "Завершение по ботам"),
    "completion_by_cities": ("Completed by city", "Завершение по городам"),
    "completion_by_sources": ("Completed by source", "Завершение по источникам"),
    "funnel_of": ("Where dialogs stop: {bot}", "Где останавливаются диалоги: {bot}"),
    "questions_of": ("Questions and answers: {bot}", "Вопросы и ответы: {bot}"),
    "score": ("average score {mean} of {highest}", "средняя оценка {mean} из {highest}"),
    "nps": ("NPS {nps}", "NPS {nps}"),
    "table": ("Table", "Таблица"),
    "csv": ("Download as CSV", "Скачать CSV"),
    "name": ("Name", "Название"),
    "dialogs": ("Dialogs", "Диалоги"),
    "share": ("Share", "Доля"),
    "completed_count": ("Completed", "Завершено"),
    "reached_count": ("Reached", "Дошли"),
    "stopped_count": ("Stopped", "Остановились"),
    "answers_count": ("Answers", "Ответы"),
    "weekday": ("Weekday", "День недели"),
    "hour": ("Hour", "Час"),
    "compared": ("compared with {period}", "в сравнении с периодом {period}"),
    "percentage_points": ("{n} pp", "{n} п. п."),
    "no_change": ("no change", "без изменений"),
    "filter_bot": ("bot", "бот"),
    "filter_created": ("created", "созданы"),
    "filter_updated": ("last message", "последнее сообщение"),
    "filter_status": ("status", "статус"),
    "filter_source": ("source", "источник"),
    "filter_city": ("city", "город"),
    "filter_variable": ("variable", "переменная"),
    "bot_number": ("Bot {id}", "Бот {id}"),
    "unknown_statuses": (
        "Statuses counted as other: {names}. To count them otherwise: --ending STATUS=KIND.",
        "Статусы, учтённые как «другой статус»: {names}. Чтобы учесть их иначе: --ending СТАТУС=ВИД.",
    ),
    "incomplete": ("The report is incomplete: {problem}.", "Отчёт неполон: {problem}."),
    "questions": ("Questions and answers", "Вопросы и ответы"),
    "funnel": ("Where dialogs stop", "Где останавливаются диалоги"),
    "funnel_note": (
        (
            "For each question: how many dialogs reached it, and how many stopped there without "
            "being completed."
        ),
        (
            "Для каждого вопроса: сколько диалогов до него дошло и сколько на нём остановилось, "
            "не завершившись."
        ),
    ),
    "reached": ("reached: {n}", "дошли: {n}"),
    "answered": ("answered: {p}", "ответили: {p}"),
    "stopped": ("stopped: {n}", "остановились: {n}"),
    "handed_over": ("handed over to an operator: {n}", "переданы оператору: {n}"),
    "files": ("files: {n}", "файлы: {n}"),
    "stopped_before_questions": (
        "Stopped before the first question",
        "Остановились до первого вопроса",
    ),
    "different": ("different answers: {n}", "разных ответов: {n}"),
    "at_least": ("at least {n}", "не менее {n}"),
    "others": ("others", "прочие"),
    "missing": ("unknown", "неизвестно"),
    "more": ("and {n} more", "и ещё {n}"),
    "empty": ("No dialogs match the filters.", "Нет диалогов, подходящих под фильтры."),
    "empty_note": ("Check the bot's id and the dates.", "Проверьте идентификатор бота и даты."),
    "no_dates": ("The dialogs have no dates.", "У диалогов нет дат."),
    "no_durations": ("The dialogs have no durations.", "У диалогов нет длительности."),
    "created": ("Report created {when}", "Отчёт создан {when}"),
    "zone": ("time zone {zone}", "часовой пояс {zone}"),
    "method": (
        (
            "The date of a dialog is the date of its last message. Started dialogs are all dialogs "
            "except those that were created but not started. A dialog in process counts as stopped "
            "24 hours after its last message. Rare answers are grouped as others."
        ),
        (
            "Дата диалога — дата его последнего сообщения. Начатыми считаются все диалоги, кроме "
            "созданных, но не запущенных. Диалог в процессе считается остановившимся через 24 часа "
            "после последнего сообщения. Редкие ответы объединены в «прочие»."
        ),
    ),
    "undated": ("Dialogs without a date: {n}.", "Диалогов без даты: {n}."),
    "answers_not_read": (
        "The report contains no answers. To include them: vertexkit dialogs report --answers",
        "Ответы в отчёт не включены. Чтобы включить их: vertexkit dialogs report --answers",
    ),
    "approximate": (
        "approximate: too many different values",
        "приблизительно: слишком много разных значений",
    ),
}
"""The texts by their keys: English and Russian."""
WEEKDAYS = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "ru": ("Пн", "Вт", "Ср", "Чт", "Пт", "Сб", "Вс"),
}
MONTHS = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "ru": ("янв", "фев", "мар", "апр", "май", "июн", "июл", "авг", "сен", "окт", "ноя", "дек"),
}
MONTHS_AFTER_DAY = {**MONTHS, "ru": (*MONTHS["ru"][:4], "мая", *MONTHS["ru"][5:])}
"""The months as they follow a day: «май 2023», but «11 мая 2023»."""
DURATION_UNITS = {"en": ("s", "min", "h", "d"), "ru": ("с", "мин", "ч", "дн")}


@dataclass(frozen=True, slots=True)
class Locale:
    """A language: its texts and its formats.

    Args:
        language: `en` or `ru`.
    """

    language: Language

    def text(self, key: str, **values: str) -> str:
        """Return a text of `TEXTS` with the values filled in."""
        english, russian = TEXTS[key]
        return (russian if self.language == "ru" else english).format(**values)

    def number(self, value: float, digits: int = 0) -> str:
        """Format a number: `12,345.6` or `12 345,6`."""
        text = f"{value:,.{digits}f}"
        if self.language == "ru":
            text = text.replace(",", NO_BREAK_SPACE).replace(".", ",")
        return text

    def percent(self, share: float) -> str:
        """Format a share of 0 to 1: `12.3%`. Only the exact shares are `0%` and `100%`."""
        rounded = round(100 * share, 1)
        if rounded == 100 and share < 1:
            rounded = 99.9
        elif rounded == 0 and share > 0:
            rounded = 0.1
        digits = 0 if rounded in {0, 100} else 1
        sign = f"{NO_BREAK_SPACE}%" if self.language == "ru" else "%"
        return self.number(rounded, digits) + sign

    def duration(self, seconds: float | None) -> str:
        """Format a duration with its two largest units, as `1 h 20 min`; None is a dash."""
        if seconds is None:
            return "—"
        rest, parts = round(seconds), []
        units = DURATION_UNITS[self.language]
        for unit, size in zip(reversed(units), (86_400, 3600, 60, 1), strict=True):
            count, rest = divmod(rest, size)
            if count:
                parts.append(f"{self.number(count)}{NO_BREAK_SPACE}{unit}")
        return " ".join(parts[:2]) or f"0{NO_BREAK_SPACE}{units[0]}"

    def duration_bin(self, low: float, high: float | None) -> str:
        """Format an interval of durations: `10–30 s`, `30 s – 1 min`, `> 1 d`."""
        if high is None:
            return f"≥ {self.duration(low)}"
        if not low:
            return f"< {self.duration(high)}"
        (start, unit), (end, end_unit) = self._parts(low), self._parts(high)
        if unit == end_unit:
            return f"{start}–{end}{NO_BREAK_SPACE}{unit}"
        return f"{start}{NO_BREAK_SPACE}{unit} – {end}{NO_BREAK_SPACE}{end_unit}"

    def _parts(self, seconds: float) -> tuple[str, str]:
        number, _, unit = self.duration(seconds).partition(NO_BREAK_SPACE)
        return number, unit

    def signed(self, value: float, digits: int = 0) -> str:
        """Format a difference with its sign: `+12`, `−3.5`."""
        sign = "+" if value > 0 else "−" if value < 0 else ""
        return f"{sign}{self.number(abs(value), digits)}"

    def change(self, now: float, before: float) -> str:
        """Format a relative change: `+12%`; by how much if there was nothing before."""
        if not before:
            return self.signed(now - before) if now else self.text("no_change")
        percent = round(100 * (now - before) / before)
        if not percent:
            return self.text("no_change")
        space = NO_BREAK_SPACE if self.language == "ru" else ""
        return f"{self.signed(percent)}{space}%"

    def weekday(self, day: int) -> str:
        """Return the name of a weekday, 0 (Monday) to 6."""
        return WEEKDAYS[self.language][day]

    def month(self, name: str) -> str:
        """Format a month such as `2023-05`: `May 2023`."""
        return f"{MONTHS[self.language][int(name[5:7]) - 1]} {name[:4]}"

    def day(self, name: str) -> str:
        """Format a day such as `2023-05-11`: `11 May 2023`."""
        month = MONTHS_AFTER_DAY[self.language][int(name[5:7]) - 1]
        return f"{int(name[8:])} {month} {name[:4]}"

    def time(self, when: datetime) -> str:
        """Format a date and a time: `11 May 2023, 08:25`."""
        return f"{self.day(when.date().isoformat())}, {when:%H:%M}"
