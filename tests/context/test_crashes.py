"""What a crash may leave of an effect: no message is sent twice, unknown outcomes are kept."""

import asyncio
from typing import Any

import pytest

from vertexkit import App, Context
from vertexkit.errors import SendOutcomeUnknown
from vertexkit.execution import Effect, EffectState, Execution, OutcomeStatus
from vertexkit.journal.memory import MemoryJournal
from vertexkit.journal.protocol import Lease, Record
from vertexkit.service import running_service
from vertexkit.settings import JournalSettings, Settings
from vertexkit.telemetry.events import Event
from vertexkit.testing import FakePlatform, VirtualClock
from vertexkit.testing.asgi_wire import AsgiWire
from vertexkit.token import Token

LEASE = 30.0
CALL = "e" * 22


async def resume(
    app: App, platform: FakePlatform, journal: MemoryJournal, clock: VirtualClock, *left: Effect
) -> Record:
    """A worker dies and leaves these effects; another one runs the execution to its outcome."""
    token = Token(platform.issue("talk"))
    await journal.accept(Execution(CALL, "talk", token, {}), 1)
    [lease] = await journal.claim("dead", {"talk": 1}, 1)
    for effect in left:
        await journal.record_effect(lease, effect)
    clock.skip_to(clock.now() + LEASE + 1)
    settled = asyncio.Event()

    def note(event: Event) -> None:
        if event.name == "settled":
            settled.set()

    wire = AsgiWire(platform, clock)
    settings = Settings.of(platform_url="http://platform.test/api")
    async with running_service(app, settings, clock=clock, wire=wire, journal=journal) as service:
        service.events.subscribe(note)
        await settled.wait()
    record = await journal.find(CALL)
    assert record is not None
    return record


async def test_a_message_that_is_sent_again_is_intended_again(
    app: App, fake_platform: FakePlatform, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a rejected message is sent again, its intent is journalled with its new text."""
    journal = MemoryJournal(clock, JournalSettings(lease=LEASE))
    intended: list[Effect] = []

    async def record_intent(lease: Lease, effect: Effect) -> None:
        intended.append(effect)
        await MemoryJournal.record_intent(journal, lease, effect)

    monkeypatch.setattr(journal, "record_intent", record_intent)

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        await ctx.send_message("Раз")
        await ctx.step("rate", lambda: 1)

    refused = Effect(0, "send", "old", EffectState.REJECTED)
    failed = Effect(1, "step:rate", "", EffectState.REJECTED)
    record = await resume(app, fake_platform, journal, clock, refused, failed)
    assert [(effect.position, effect.state) for effect in intended] == [
        (0, EffectState.INTENDED),
        (1, EffectState.INTENDED),
    ]
    assert intended[0].digest not in {"", "old"}
    assert [effect.state for effect in record.effects] == [EffectState.CONFIRMED] * 2


@pytest.mark.parametrize("state", [EffectState.INTENDED, EffectState.UNKNOWN])
async def test_park_works_after_a_crash_too(
    app: App, fake_platform: FakePlatform, clock: VirtualClock, state: Any
) -> None:
    """With `park`, the next worker parks what the dead worker could not park."""
    raised: list[type[Exception]] = []

    @app.block("talk", on_unknown="park")
    async def talk(ctx: Context) -> None:
        try:
            await ctx.send_message("Раз")
        except SendOutcomeUnknown as error:
            raised.append(type(error))

    left = Effect(0, "send", "whatever", state)
    record = await resume(
        app, fake_platform, MemoryJournal(clock, JournalSettings(lease=LEASE)), clock, left
    )
    assert raised == [SendOutcomeUnknown]
    assert record.outcome is not None
    assert (record.outcome.status, record.outcome.code) == (OutcomeStatus.PARKED, "unknown")
    assert [entry.method for entry in fake_platform.ledger] == ["complete"]
