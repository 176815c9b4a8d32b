"""A page of a list of dialogs (methods 1 and 5)."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vertexkit.botone.models import Conversation, PlatformModel, TolerantModel, numeric_keys


class Pagination(TolerantModel):
    """The position of a page in its list; None where the platform does not say."""

    total: int | None = None
    """Dialogs in the whole list."""
    count: int | None = None
    """Dialogs on this page."""
    per_page: int | None = None
    """Dialogs on a full page."""
    current_page: int | None = None
    """This page's number, from 1."""
    total_pages: int | None = None
    """Pages in the whole list."""
    links: Any = None
    """Always an empty object, as far as the platform documents it."""


class _Meta(BaseModel):
    pagination: Pagination = Field(default_factory=Pagination)


class _PageContent(BaseModel):
    """The documented form of a page, for a fast validation of its bytes."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow", hide_input_in_errors=True)
    __pydantic_extra__: dict[str, Conversation] = Field(init=False)
    meta: _Meta


class ConversationPage(PlatformModel):
    """One page of a list (methods 1 and 5): an object with keys "0", "1", ... and `meta`."""

    items: tuple[Conversation, ...] = ()
    unreadable: tuple[Any, ...] = Field((), exclude=True)
    """What the platform sent among the dialogs and is not a dialog, unchanged."""
    pagination: Pagination = Field(default_factory=Pagination)

    @classmethod
    def read_json(cls, body: bytes) -> "ConversationPage | None":
        """Read a page whose form is as documented; None if it is not, see `read`.

        Args:
            body: the JSON.
        """
        try:
            content = _PageContent.model_validate_json(body)
        except ValueError:
            return None
        items = content.__pydantic_extra__
        keys = list(map(str, range(len(items))))
        if keys != list(items):
            keys = numeric_keys(items)
            if len(keys) != len(items):
                return None
        return cls.model_construct(
            items=tuple(items[key] for key in keys), pagination=content.meta.pagination
        )

    @classmethod
    def read(cls, content: Any) -> "ConversationPage":
        """Read a page from the platform's object, or from an array of dialogs.

        Args:
            content: the decoded JSON.

        Raises:
            TypeError: the content is neither an object nor an array.
            ValueError: the object is not a page of a list.
        """
        if isinstance(content, list):
            return cls._of(content, {})
        if not isinstance(content, dict):
            raise TypeError("expected an object or an array")
        keys = numeric_keys(content)
        meta = content.get("meta")
        pagination = meta.get("pagination") if isinstance(meta, dict) else None
        if not keys and meta is None and content.keys() - {"meta"}:
            raise ValueError('expected an object with the keys "0", "1", ... or `meta`')
        return cls._of([content[key] for key in keys], pagination)

    @classmethod
    def _of(cls, items: list[Any], pagination: Any) -> "ConversationPage":
        """Make a page of those items that are dialogs; if none is, the first problem is raised."""
        dialogs, unreadable, problem = [], [], None
        for item in items:
            try:
                dialogs.append(Conversation.read(item))
            except ValidationError as error:
                unreadable.append(item)
                problem = problem or error
        if problem is not None and not dialogs:
            raise problem
        return cls.model_construct(
            items=tuple(dialogs),
            unreadable=tuple(unreadable),
            pagination=Pagination.read(pagination if isinstance(pagination, dict) else {}),
        )
