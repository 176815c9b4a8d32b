"""The pages of the site, in sections, in the order in which a reader meets them."""

SECTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Start": ("Начало", ("tutorial", "public-url", "faq", "comparison")),
    "Write blocks": (
        "Разработка блоков",
        (
            *("blocks", "messages", "examples", "models", "memory"),
            *("waiting", "limits", "failures"),
            *("testing", "playground", "terminal", "runs", "checks"),
            *("integrations", "windows", "migration"),
        ),
    ),
    "Dialogs": ("Диалоги", ("dialogs", "analysts")),
    "In production": (
        "В продакшене",
        (
            *(
                "deployment",
                "secrets",
                "postgresql",
                "scaling",
                "monitoring",
                "operations",
                "console",
            ),
            *("hanging", "maintenance", "personal-data", "security"),
        ),
    ),
    "Reference": ("Справочник", ("settings", "errors", "http", "cli", "api", "guarantee")),
    "Project": ("Проект", ("architecture", "changelog", "contributing")),
}
"""English heading of each section: its Russian heading, and its pages. A page of docs/ that no
section names is listed in the last one."""
GENERATED = ("cli", "api", "changelog", "contributing")
"""Pages that build.py generates from the code, or from files of the repository's root."""
