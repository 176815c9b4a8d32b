"""Values of a dialog that a handler keeps in the journal."""

from tests.journal.driver import JournalDriver
from vertexkit.execution import Effect, EffectState
from vertexkit.journal.dialog_memory import DialogKey
from vertexkit.journal.protocol import Lease

KEY = DialogKey("demo", 4711)


def setting(name: str, position: int = 9) -> Effect:
    return Effect(position, f"memory.set:{name}", "", EffectState.CONFIRMED)


async def remember(
    driver: JournalDriver, lease: Lease, name: str, value: bytes, key: DialogKey = KEY
) -> int:
    """Change a value of the memory, as a handler does: again, if it has changed meanwhile.

    The retention may delete a memory that is too old between the two.
    """
    record = await driver.journal.find(lease.execution.id)
    assert record is not None
    change = setting(name, 9 + len(record.effects))
    for _ in range(3):
        memory = (await driver.journal.read_memory(key)).changed(name, value)
        version = await driver.journal.write_memory(lease, change, key, memory)
        if version is not None:
            return version
    raise AssertionError("the memory changes all the time")
