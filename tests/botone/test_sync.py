"""The client for scripts without an event loop."""

import inspect
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.botone.asked import PASSWORD, platform_of
from tests.testing.platform_server import served_in_thread
from vertexkit import BotOne
from vertexkit.botone.dialogs import V1, V2
from vertexkit.botone.sync import SyncBotOne, SyncV1, SyncV2
from vertexkit.errors import NotFound
from vertexkit.testing import FakePlatform


@pytest.fixture
def platform() -> FakePlatform:
    return platform_of()


@pytest.fixture
def url(platform: FakePlatform) -> Iterator[str]:
    """The platform, served from a thread of its own."""
    with served_in_thread(platform) as base:
        yield f"{base}/api"


def open_bot(url: str) -> SyncBotOne:
    return BotOne.sync(url, "anna@example.com", PASSWORD)


def test_it_does_all_that_the_async_one_does(
    url: str, platform: FakePlatform, tmp_path: Path
) -> None:
    """Lists by `for`, pages, dialogs, files and management; it waits and returns the same."""
    file = platform.conversations.add_file("a.txt", b"abc")
    with open_bot(url) as bot:
        dialogs = list(bot.v2.conversations(page_size=50))
        assert len(dialogs) == 200
        assert bot.v1.conversations(bot_id=698).page(1).pagination.current_page == 1
        started = bot.v2.create_and_start(698, variables={"a": 1})
        assert started is not None
        bot.v2.stop(started.dialog_uuid)
        bot.v2.send(started.dialog_uuid, "Я здесь")
        bot.v2.start(started.dialog_uuid)
        bot.v2.goto(started.dialog_uuid, 1446)
        assert bot.v1.conversation(started.dialog_id).status == "in-process"
        assert bot.v1.create(698) != bot.v2.create(698)
        assert bot.v2.download(file.id, tmp_path).read_bytes() == b"abc"
        assert bot.v1.download(file.id, tmp_path).read_bytes() == b"abc"
        with pytest.raises(NotFound):
            bot.v1.conversation(999_999_999)
    platform.check()


def test_a_walk_may_be_left_early(url: str) -> None:
    """Whoever breaks off a list leaves no request and no thread behind."""
    before = threading.active_count()
    with open_bot(url) as bot:
        for dialog in bot.v2.conversations(page_size=5):
            assert dialog.id
            break
        walk = iter(bot.v2.conversations())
        next(walk)
    del walk
    assert threading.active_count() == before


def test_outside_its_with_it_says_so() -> None:
    """A call that no loop would ever do is an error, not a wait without end."""
    bot = open_bot("http://127.0.0.1:9/api")
    with pytest.raises(RuntimeError, match="with BotOne"):
        bot.v1.conversation(1)


@pytest.mark.parametrize("plain, blocking", [(V1, SyncV1), (V2, SyncV2)])
def test_no_method_is_missing(plain: type, blocking: type) -> None:
    """Each public method is there in both forms, under one name and with one documentation."""
    names = {
        name for name in dir(plain) if not name.startswith("_") and callable(getattr(plain, name))
    }
    assert names <= set(dir(blocking))
    for name in names:
        one, other = getattr(plain, name), getattr(blocking, name)
        assert inspect.getdoc(one) == inspect.getdoc(other)
