"""The dialogs that a command works on."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from itertools import filterfalse

from vertexkit.botone.client import BotOne
from vertexkit.botone.models import Conversation, ConversationDetails
from vertexkit.botone.pages import Conversations
from vertexkit.cli import output
from vertexkit.cli.dialogs.filters import DialogFilters
from vertexkit.cli.options import EXIT_FAILED
from vertexkit.cli.translation import translate, translate_sentence
from vertexkit.references import INCOMPLETE_REFERENCE

MAX_SHOWN_PROBLEMS = 10
"""Problems that are printed one by one."""


class DialogSource:
    """Reads the dialogs that match the filters.

    Args:
        filters: Select the dialogs.
        with_answers: Read the data of each dialog, too. Filters by variables read it in any case.

    Attributes:
        problems: A sentence for each thing that is missing, after the iteration.
    """

    def __init__(self, filters: DialogFilters, *, with_answers: bool = False) -> None:
        self.problems: list[str] = []
        self._filters = filters
        self._with_answers = with_answers or bool(filters.variables)

    async def dialogs(
        self,
        bot: BotOne,
        skip: Callable[[Conversation], bool] | None = None,
        lists: list[tuple[int | None, Conversations]] | None = None,
    ) -> AsyncGenerator[tuple[Conversation, int | None], None]:
        """Read the dialogs, list by list.

        Args:
            bot: The client.
            skip: Called with each listed dialog; it is left out if the result is True.
            lists: The lists of the filters, if the caller needs them too.

        Yields:
            A dialog and its bot, if known. Its data is in it if it was requested.
        """
        async with aclosing(self.batches(bot, skip, lists)) as batches:
            async for batch, bot_id in batches:
                for dialog in batch:
                    yield dialog, bot_id

    def find_total(
        self, lists: Sequence[tuple[int | None, Conversations]]
    ) -> Callable[[], int | None]:
        """Return a function that returns the number of dialogs in lists, if it is known.

        It is not known before the first page of each list, and with filters that the platform does
        not have.

        Args:
            lists: The lists of the filters.
        """

        def find() -> int | None:
            totals = [conversations.total for _, conversations in lists]
            if self._filters.are_applied_here or None in totals:
                return None
            return sum(total for total in totals if total is not None)

        return find

    async def batches(
        self,
        bot: BotOne,
        skip: Callable[[Conversation], bool] | None = None,
        lists: list[tuple[int | None, Conversations]] | None = None,
    ) -> AsyncGenerator[tuple[Sequence[Conversation], int | None], None]:
        """Read the same dialogs, those of a page together: it is faster for many dialogs.

        Args:
            bot: The client.
            skip: As for `dialogs`.
            lists: As for `dialogs`.

        Yields:
            Dialogs and their bot, if known. Dialogs with their data come one by one.
        """
        filters = self._filters

        def is_skipped(dialog: Conversation) -> bool:
            return not filters.match(dialog) or (skip is not None and skip(dialog))

        takes_all = skip is None and not filters.are_applied_here
        for bot_id, conversations in lists or filters.lists(bot):
            if self._with_answers:
                async with aclosing(conversations.detailed(skip=is_skipped)) as found:
                    async for details in found:
                        if is_failed(details) or filters.match_data(details):
                            yield [details], bot_id
            else:
                async with aclosing(conversations.batches()) as pages:
                    async for page in pages:
                        yield (page if takes_all else list(filterfalse(is_skipped, page))), bot_id
            self.problems += conversations.problems


def is_failed(dialog: Conversation) -> bool:
    """Whether the data of a dialog is missing although the dialog exists."""
    if not isinstance(dialog, ConversationDetails) or dialog.error is None:
        return False
    return dialog.error.status not in (403, 404)


def report_problems(problems: list[str]) -> int:
    """Print what is missing to standard error, and return the exit code of the command."""
    for problem in problems[:MAX_SHOWN_PROBLEMS]:
        output.echo(
            translate(
                "vertexkit: incomplete: {0} [{1}]",
                translate_sentence(problem),
                INCOMPLETE_REFERENCE,
            ),
            err=True,
        )
    if (more := len(problems) - MAX_SHOWN_PROBLEMS) > 0:
        rest = translate("and {0} more problems [{1}]", f"{more:,}", INCOMPLETE_REFERENCE)
        output.echo(translate("vertexkit: incomplete: {0}", rest), err=True)
    return EXIT_FAILED if problems else 0
