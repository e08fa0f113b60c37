"""Reading bodies: no more than allowed, whatever the client says about their length."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.unit.worker.web.calling import Chunks, call
from worker.web.answers import HttpError
from worker.web.callers import caller_of
from worker.web.calls import SPARED_BYTES, body_of, json_body_of


def read(body: bytes | Chunks, *, limit: int, **headers: str) -> bytes:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(body_of(call(body, headers=named), limit=limit))


def test_a_body_in_pieces_is_put_together() -> None:
    assert read(Chunks([b"ab", b"", b"cd"]), limit=4) == b"abcd"


def test_one_byte_too_many_is_refused_although_no_length_was_announced() -> None:
    with pytest.raises(HttpError) as caught:
        read(Chunks([b"ab", b"cde"]), limit=4)
    assert caught.value.status == 413


def test_a_small_announced_length_is_not_believed() -> None:
    with pytest.raises(HttpError) as caught:
        read(Chunks([b"abcde"]), limit=4, content_length="3")
    assert caught.value.status == 413


def test_a_huge_announced_length_is_refused_before_a_byte_is_read() -> None:
    chunks = Chunks([b"x"])
    with pytest.raises(HttpError) as caught:
        read(chunks, limit=4, content_length=str(SPARED_BYTES + 5))
    assert caught.value.status == 413
    assert chunks.taken == 0


def test_a_body_without_end_is_read_for_a_mebibyte_at_most() -> None:
    chunks = Chunks(b"x" * 65536 for _ in range(10_000))
    with pytest.raises(HttpError) as caught:
        read(chunks, limit=4)
    assert caught.value.status == 413
    assert chunks.taken <= SPARED_BYTES + 2 * 65536


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.web.calls.BODY_SECONDS", 0.0)

    async def stalled() -> None:
        await body_of(replace(call(), chunks=never()), limit=4)

    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    with pytest.raises(HttpError) as caught:
        asyncio.run(stalled())
    assert caught.value.status == 408


@pytest.mark.parametrize(
    "media_type", [None, "application/json", "Application/JSON; charset=utf-8", "application/x+json"]
)
def test_json_by_any_of_its_names_or_none_is_taken(media_type: str | None) -> None:
    headers = {"content-type": media_type} if media_type else {}
    assert asyncio.run(json_body_of(call(b"{}", headers=headers), limit=9)) == b"{}"


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_another_content_type_is_refused_with_what_to_send(media_type: str) -> None:
    with pytest.raises(HttpError) as caught:
        asyncio.run(json_body_of(call(b"{}", headers={"content-type": media_type}), limit=9))
    assert caught.value.status == 415
    assert "Content-Type" in (caught.value.fix or "")


@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, identity"])
def test_a_compressed_body_is_refused_with_what_to_do(encoding: str) -> None:
    with pytest.raises(HttpError) as caught:
        asyncio.run(json_body_of(call(b"\x1f\x8b", headers={"content-encoding": encoding}), limit=9))
    assert (caught.value.status, caught.value.kind) == (415, "unsupported_encoding")
    assert "Content-Encoding" in (caught.value.fix or "")


def test_a_body_that_is_said_not_to_be_compressed_is_taken() -> None:
    assert asyncio.run(json_body_of(call(b"{}", headers={"content-encoding": "identity"}), limit=9)) == b"{}"


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("9.9.9.9", None, "9.9.9.9"),
        ("169.254.8.1", "8.8.8.8", "8.8.8.8"),
        ("169.254.8.1", "made-up, 1.1.1.1, 8.8.8.8", "8.8.8.8"),
        ("10.0.0.7", "2001:4860:4860::8888", "2001:4860:4860::/64"),
        ("10.0.0.7", "2001:4860:4860::1:2:3", "2001:4860:4860::/64"),
        ("2001:4860:4860::8888", "8.8.8.8", "2001:4860:4860::/64"),
        ("::ffff:10.0.0.7", "::ffff:8.8.8.8", "8.8.8.8"),
        ("::ffff:9.9.9.9", "8.8.8.8", "9.9.9.9"),
        ("10.0.0.7", f"fe80::1%{'x' * 60_000}", "fe80::/64"),
        ("9.9.9.9", "8.8.8.8", "9.9.9.9"),
        ("169.254.8.1", "nonsense", "169.254.8.1"),
        (None, None, ""),
    ],
)
def test_a_caller_is_the_address_that_a_proxy_has_seen(
    peer: str | None, forwarded: str | None, caller: str
) -> None:
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    assert caller_of(call(peer=peer, headers=headers)) == caller
