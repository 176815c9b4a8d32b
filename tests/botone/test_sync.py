"""The client for scripts without an event loop."""

import inspect
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.botone.fake_api import PASSWORD, platform_of
from tests.testing.platform_server import served_in_thread
from tests.waiting import until_outside
from vertexkit import BotOne
from vertexkit.botone.dialogs import V1, V2
from vertexkit.botone.pages import Conversations
from vertexkit.botone.sync import SyncBotOne, SyncConversations, SyncV1, SyncV2
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


def test_the_blocking_client_has_all_methods(
    url: str, platform: FakePlatform, tmp_path: Path
) -> None:
    """Lists, pages, dialogs, files and management work in blocking form."""
    file = platform.conversations.add_file("a.txt", b"abc")
    with open_bot(url) as bot:
        dialogs = list(bot.v2.conversations(page_size=50))
        assert len(dialogs) == 200
        batches = list(bot.v2.conversations(page_size=50).batches())
        assert [dialog for batch in batches for dialog in batch] == dialogs
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


def test_a_list_has_all_that_the_asynchronous_one_has(url: str) -> None:
    """Its total, its problems, the data of its dialogs, and what to skip."""
    names = {name for name in dir(Conversations) if not name.startswith("_")}
    assert names | {"total", "problems"} <= set(dir(SyncConversations))
    with open_bot(url) as bot:
        conversations = bot.v2.conversations(page_size=50)
        found = list(conversations.detailed(skip=lambda dialog: dialog.status != "operator"))
        assert conversations.total == 200
        assert conversations.problems == ()
        assert {dialog.status for dialog in found} == {"operator"}
        assert bot.v2.conversations().details(found[0]) == found[0]


def test_an_iteration_may_end_early(url: str) -> None:
    """An unfinished iteration leaves no request and no thread."""
    before = set(threading.enumerate())
    with open_bot(url) as bot:
        for dialog in bot.v2.conversations(page_size=5):
            assert dialog.id
            break
        dialogs = iter(bot.v2.conversations())
        next(dialogs)
    del dialogs
    until_outside(lambda: set(threading.enumerate()) <= before, "the threads have ended")


def test_a_call_outside_of_with_is_an_error() -> None:
    """A call before `with` raises an error instead of waiting forever."""
    bot = open_bot("http://127.0.0.1:9/api")
    with pytest.raises(RuntimeError, match="with BotOne"):
        bot.v1.conversation(1)


@pytest.mark.parametrize("plain, blocking", [(V1, SyncV1), (V2, SyncV2)])
def test_no_method_is_missing(plain: type, blocking: type) -> None:
    """Each public method has both forms, with the same name and the same docstring."""
    names = {
        name for name in dir(plain) if not name.startswith("_") and callable(getattr(plain, name))
    }
    assert names <= set(dir(blocking))
    for name in names:
        one, other = getattr(plain, name), getattr(blocking, name)
        assert inspect.getdoc(one) == inspect.getdoc(other)
