"""Tokens of the fake platform, and the dialogs they speak in."""

import base64
import json
from typing import Any

import pytest

from tests.testing.vertex_client import VertexClient
from vertexkit.testing.platform.app import FakePlatform
from vertexkit.testing.platform.tokens import FakeClaims, fingerprint, read, sign


def test_a_token_has_the_shape_of_the_documents_example() -> None:
    """It is a JWT by HS256 with exactly the four claims, of the documented types."""
    token = FakePlatform().issue("loan", dialog_id=371, instance="perm")
    head, claims, signature = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")
    )
    assert json.loads(head) == {"alg": "HS256", "typ": "JWT"}
    content = json.loads(claims)
    assert set(content) == {"instance", "dialog_id", "vertex_id", "session_id"}
    assert (content["instance"], content["dialog_id"]) == ("perm", 371)
    assert isinstance(content["vertex_id"], str)
    assert isinstance(content["session_id"], int)
    assert len(signature) == 32


def test_tokens_are_repeatable_and_distinct() -> None:
    """The same seed gives the same tokens, and each issue another one, of the block's vertex."""
    one, other = FakePlatform(seed=7), FakePlatform(seed=7)
    tokens = [one.issue("a"), one.issue("a"), one.issue("b", dialog_id=1), one.issue("a", 1)]
    assert tokens == [
        other.issue("a"),
        other.issue("a"),
        other.issue("b", dialog_id=1),
        other.issue("a", 1),
    ]
    assert len(set(tokens)) == 4
    vertices = [claims.vertex_id for token in tokens if (claims := read(token))]
    assert vertices[0] == vertices[1] == vertices[3] != vertices[2]
    assert FakePlatform(seed=8).issue("a") != tokens[0]
    assert len(one.dialogs) == 3
    assert one.dialog(tokens[2]) is one.dialog(tokens[3])


@pytest.mark.parametrize("word", ["", "opaque", "a.b.c", "a.W10.c", "a.e30.c", "ы.ы.ы"])
def test_what_is_no_jwt_has_no_claims(word: str) -> None:
    """A token of any other shape is opaque, and reading it raises nothing."""
    assert read(word) is None


async def test_an_unknown_token_is_refused(platform: FakePlatform, client: VertexClient) -> None:
    """A token that was not issued gets 403 and is a violation, told without the token."""
    answer = await client.send("stranger")
    assert answer.status_code == 403
    assert fingerprint("stranger") in platform.violations[0]
    assert "stranger" not in platform.violations[0]
    with pytest.raises(LookupError):
        platform.dialog("stranger")


async def test_any_token_opens_a_dialog_when_asked() -> None:
    """With tokens="any" a stranger opens a dialog at first sight, its claims read if it has any."""
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


async def test_a_token_used_again_is_another_visit(
    platform: FakePlatform, client: VertexClient
) -> None:
    """The same token reaches the block again after its completion; the activations stay apart."""
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


async def test_only_a_completed_visit_is_followed_by_another(
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


async def test_the_platform_may_call_again_within_complete(
    platform: FakePlatform, client: VertexClient
) -> None:
    """The switch is awaited before the 204, with the activation completed, and may open the next."""
    token = platform.issue()
    seen: list[Any] = []

    async def go_on(token: str, data: Any) -> None:
        await platform.clock.sleep(5)
        seen.append((data, platform.activation(token).state, platform.ledger[0].status))
        platform.reactivate(token)
        assert (await client.send(token, "снова")).status_code == 200

    platform.call_during_complete = go_on
    assert (await client.complete(token, {"n": 1})).status_code == 204
    assert seen == [({"n": 1}, "completed", None)]
    assert (platform.ledger[0].answered_at or 0) - platform.ledger[0].at >= 5
    assert [len(activation.messages) for activation in platform.dialog(token).activations] == [0, 1]
    platform.check()


async def test_a_failure_of_the_switch_is_not_lost(
    platform: FakePlatform, client: VertexClient
) -> None:
    """An assertion within call_during_complete fails the check, and complete is answered."""

    async def go_wrong(token: str, data: Any) -> None:
        raise RuntimeError("not as planned")

    platform.call_during_complete = go_wrong
    assert (await client.complete(platform.issue())).status_code == 204
    with pytest.raises(AssertionError, match="not as planned"):
        platform.check()
