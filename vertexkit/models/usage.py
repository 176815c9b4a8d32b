"""What a request to a language model has used, and what it costs."""

from dataclasses import dataclass

CHARACTERS_PER_TOKEN = 3
"""Estimate for servers and interrupted requests that report no usage: between English (about 4)
and Russian (2 to 3)."""
TOKENS_PER_PRICE = 1_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """What requests to a model have used. Usages can be added."""

    input_tokens: int = 0
    """Tokens of the prompts."""
    output_tokens: int = 0
    """Tokens that the model has generated."""
    cost: float = 0.0
    """Money, in the currency of the model's `Price`; 0 without one."""
    estimated: bool = False
    """A part of it is estimated from the number of characters: the server has not reported it."""

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost + other.cost,
            self.estimated or other.estimated,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The price of a model, for a million tokens, in any currency."""

    input: float
    """Of the prompts."""
    output: float
    """Of what the model generates."""

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """Return the price of a number of tokens."""
        return (input_tokens * self.input + output_tokens * self.output) / TOKENS_PER_PRICE


def usage_of(
    input_tokens: int, output_tokens: int, price: Price | None, *, estimated: bool
) -> Usage:
    """Return what a request has used, with its cost.

    Args:
        input_tokens: As `Usage.input_tokens`.
        output_tokens: As `Usage.output_tokens`.
        price: Of the model; None: requests cost nothing.
        estimated: The numbers are estimated.
    """
    cost = 0.0 if price is None else price.of(input_tokens, output_tokens)
    return Usage(input_tokens, output_tokens, cost, estimated)


def estimated_tokens(*texts: str) -> int:
    """Return about how many tokens texts have."""
    return -(-sum(map(len, texts)) // CHARACTERS_PER_TOKEN)
