"""Misspelt names in a test: a block or an input that the app does not have."""

from typing import Any

from pydantic import AliasChoices, AliasPath, BaseModel, RootModel

from vertexkit.app import App
from vertexkit.loading import suggestion


def check_names(app: App[Any], block: str, inputs: dict[str, Any]) -> None:
    """Fail for a misspelt name; the app itself answers 404, or ignores an unknown input.

    Raises:
        ValueError: with a suggestion.
    """
    __tracebackhide__ = True
    if block not in app.blocks:
        raise ValueError(
            f"there is no block {block!r}.{suggestion(block, app.blocks)} "
            f"The app has: {', '.join(app.blocks) or 'no blocks'}"
        )
    known = input_names(app.blocks[block].signature.model)
    for name in inputs:
        if known is not None and name not in known:
            raise ValueError(
                f"block {block!r} has no input {name!r}.{suggestion(name, known)} "
                f"It has: {', '.join(known) or 'no inputs'}"
            )


def input_names(model: type[BaseModel]) -> list[str] | None:
    """Return the names of the inputs that a model reads; None if it takes or rejects others."""
    before = model.__pydantic_decorators__.model_validators.values()
    if model.model_config.get("extra") in {"allow", "forbid"} or issubclass(model, RootModel):
        return None
    if any(validator.info.mode != "after" for validator in before):
        return None
    names: list[str] = []
    for name, model_field in model.model_fields.items():
        alias = model_field.validation_alias or model_field.alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias or name]
        names += [str(c.path[0]) if isinstance(c, AliasPath) else c for c in choices]
        if model.model_config.get("populate_by_name") or model.model_config.get("validate_by_name"):
            names.append(name)
    return list(dict.fromkeys(names))
