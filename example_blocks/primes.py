"""CPU-bound work in a plain `def`, which runs in a thread and does not block other dialogs."""

from math import isqrt
from typing import Annotated

from pydantic import BaseModel, Field

from vertexkit import App, SyncContext

app = App()


class Primes(BaseModel):
    count: int
    largest: int


# Python threads share one processor: with a higher limit, each calculation would be slower.
@app.block("primes", title="Простые числа", timeout=60, concurrency=2)
def primes(
    ctx: SyncContext, limit: Annotated[int, Field(ge=2, le=10_000_000, title="До какого числа")]
) -> Primes:
    ctx.send_message("Считаю…")
    sieve = bytearray([0, 0]) + bytearray([1]) * (limit - 1)
    for number in range(2, isqrt(limit) + 1):
        if not ctx.remaining:
            # A thread cannot be cancelled, so a long loop has to check its deadline.
            raise TimeoutError
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(sieve[number * number :: number]))
    found = Primes(count=sum(sieve), largest=sieve.rindex(1))
    ctx.send_message(f"Простых чисел до {limit}: {found.count}. Последнее из них: {found.largest}.")
    return found
