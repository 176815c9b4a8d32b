"""A report of many dialogs, with texts that contain markup."""

from tests.analytics.dialog_data import dialog, question_data
from vertexkit.analytics import Report, analyse

MARKUP = '<script>alert("x")</script>'


def seeded() -> Report:
    dialogs = [
        dialog(
            n,
            location=["Perm", "Москва", MARKUP][n % 3],
            status=["completed", "interrupted", "operator", "odd"][n % 4],
            updated=f"2023-05-{n % 28 + 1:02}T{n % 24:02}:00:00+00:00",
            data=question_data(("Имя?", "Анна"), (MARKUP, MARKUP)),
        )
        for n in range(90)
    ]
    return analyse(dialogs, "Europe/Moscow")
