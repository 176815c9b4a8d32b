"""docs/integrations: blocks that use SQLAlchemy and Django's ORM."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.guides.guide_code import code, importable, load
from vertexkit.testing import FakeDialog

pytestmark = pytest.mark.release
URL = "postgresql+psycopg://bots@db.example/shop"
SHOP = {
    "__init__.py": "",
    "settings.py": """
from pathlib import Path

DATABASES = {"default": {
    "ENGINE": "django.db.backends.sqlite3", "NAME": Path(__file__).parent / "shop.sqlite",
}}
INSTALLED_APPS = ["shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
""",
    "models.py": """
from django.db import models


class Order(models.Model):
    number = models.IntegerField(unique=True)
    status = models.CharField(max_length=10, choices={"sent": "On its way"})
""",
}
"""The project of Django that the guide assumes."""


def test_sqlalchemy_writes_an_order_once(tmp_path: Path) -> None:
    """The engine of the lifespan is used in a step, which a crash after it does not repeat."""
    database = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("create table orders (id integer primary key, key text unique, item)")
    text = code("integrations.md", "create_async_engine")
    assert URL in text
    app = load(text.replace(URL, f"sqlite+aiosqlite:///{database}"), "orders").app
    run = FakeDialog(app).run_sync("order", item="lamp", crash_everywhere=True)
    assert run.data == {"order": 1}
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("select id, item, key from orders").fetchall()
    assert {(number, item) for number, item, _ in rows} >= {(1, "lamp")}
    assert len({key for *_, key in rows}) == len(rows)


def test_django_reads_an_order_in_a_thread(tmp_path: Path) -> None:
    """A `def` handler uses the ORM of a project of Django."""
    (tmp_path / "shop").mkdir()
    for name, text in SHOP.items():
        (tmp_path / "shop" / name).write_text(text, encoding="utf-8")
    with importable(tmp_path):
        block = load(code("integrations.md", "django.setup()"), "order_status")
        from django.core.management import call_command  # noqa: PLC0415 - after its setup

        call_command("migrate", run_syncdb=True, verbosity=0)
        block.Order.objects.create(number=7, status="sent")
        run = FakeDialog(block.app).run_sync("order-status", number=7, crash_everywhere=True)
    assert run.messages == ["Order 7: On its way"]
    assert run.data == {"status": "On its way"}
