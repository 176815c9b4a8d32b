"""The dialogs of the fake platform, found by token."""

import pytest

from tests.testing.vertex_client import VertexClient
from vertexkit.testing.platform.app import FakePlatform
from vertexkit.testing.platform.tokens import FakeClaims, fingerprint, sign


async def test_an_unknown_token_is_rejected(platform: FakePlatform, client: VertexClient) -> None:
    """A token that was not issued gets 403 and is a violation, which does not show the token."""
    answer = await client.send("unissued")
    assert answer.status_code == 403
    assert fingerprint("unissued") in platform.violations[0]
    assert "unissued" not in platform.violations[0]
    with pytest.raises(LookupError):
        platform.dialog("unissued")


async def test_any_token_opens_a_dialog_when_asked() -> None:
    """With tokens="any" an unknown token opens a dialog, with the token's claims if it has any."""
    platform = FakePlatform(tokens="any")
    token = sign(FakeClaims("perm", 371, "698", 5))
    client = VertexClient(platform)
    async with client.http:
        assert (await client.send(token)).status_code == 200
        assert (await client.complete("opaque", {})).status_code == 204
        assert (await client.complete("opaque", {})).status_code == 403
    dialog = platform.dialog(token)
    assert (dialog.dialog_id, dialog.instance, dialog.activations[0].block) == (371, "perm", "698")
    assert platform.dialog("opaque").dialog_id is None
    assert len(platform.dialogs) == 2


async def test_a_token_used_again_is_another_activation(
    platform: FakePlatform, client: VertexClient
) -> None:
    """A completed block can be reached again with the same token; the activations are separate."""
    token = platform.issue("loan")
    await client.send(token, "раз")
    await client.complete(token, {"activation": 1})
    assert platform.issue(reuse=token) == token
    assert platform.activation(token).state == "open"
    await client.send(token, "два")
    await client.complete(token, {"activation": 2})
    third = platform.reactivate(token)

    first, second, _ = platform.dialog(token).activations
    assert [m.text for m in first.messages] == ["раз"]
    assert [m.text for m in second.messages] == ["два"]
    assert (second.block, second.number, third.number) == ("loan", 2, 3)
    assert [c.data for c in platform.dialog(token).completions] == [
        {"activation": 1},
        {"activation": 2},
    ]
    assert [entry.activation for entry in platform.ledger] == [1, 1, 2, 2]
    platform.check()


async def test_only_a_completed_activation_is_followed_by_another(
    platform: FakePlatform, client: VertexClient
) -> None:
    """A token cannot be used again while its block is open, nor in a deleted dialog."""
    token = platform.issue(dialog_id=5)
    with pytest.raises(ValueError, match="open"):
        platform.reactivate(token)
    platform.fail("complete", kind="gone")
    await client.complete(token)
    with pytest.raises(ValueError, match="gone"):
        platform.issue(reuse=token)
    with pytest.raises(ValueError, match="deleted"):
        platform.issue(dialog_id=5)
