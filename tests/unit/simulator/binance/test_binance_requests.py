"""Signatures, times, parameters and limits of the Binance dialects, without a venue around them."""

from __future__ import annotations

import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from lanner.simulator.dialects.binance.auth import Verifier, check_time, socket_signed
from lanner.simulator.dialects.binance.errors import ApiError
from lanner.simulator.dialects.binance.limits import Limit, Limits
from lanner.simulator.dialects.binance.params import Params, decimals_of, split_pairs, without_signature

NOW = 1_800_000_003 * 10**9


def _vectors(shared_data: Path) -> list[dict[str, Any]]:
    file = shared_data / "signing" / "binance.json"
    if not file.exists():
        pytest.skip(f"no signing vectors at {file}")
    found: dict[str, list[dict[str, Any]]] = json.loads(file.read_text())
    return found["documented"]


def test_every_documented_hmac_signature_is_accepted_and_a_changed_one_is_not(shared_data: Path) -> None:
    rows = [row for row in _vectors(shared_data) if row["alg"] == "HMAC-SHA256-hex" and row.get("verified")]
    assert len(rows) >= 4
    for row in rows:
        verifier = Verifier(secret=row["secret"])
        assert verifier.fits(row["payload"].encode(), row["signature"]), row["id"]
        assert verifier.fits(row["payload"].encode(), row["signature"].upper())
        assert not verifier.fits(row["payload"].encode() + b"0", row["signature"])


def test_documented_socket_requests_are_sorted_and_signed_as_they_are(shared_data: Path) -> None:
    rows = [row for row in _vectors(shared_data) if row["id"].startswith("ws_hmac")]
    assert rows
    for row in rows:
        pairs = dict(part.split("=") for part in row["payload"].split("&"))
        verifier = Verifier(secret=row["secret"])
        assert verifier.fits(row["payload"].encode(), row["signature"]), row["id"]
        assert socket_signed(verifier, {**pairs, "signature": row["signature"]}, row["signature"]), row["id"]
        assert not socket_signed(verifier, {**pairs, "more": "1"}, row["signature"])


def test_a_socket_request_may_be_signed_plain_or_percent_encoded() -> None:
    verifier = Verifier(secret="s")
    params = {"symbol": "币安人生USDT", "quantity": 1, "apiKey": "k"}
    plain = "apiKey=k&quantity=1&symbol=币安人生USDT"
    encoded = "apiKey=k&quantity=1&symbol=%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT"
    for text in (plain, encoded):
        assert socket_signed(verifier, params, hmac.digest(b"s", text.encode(), "sha256").hex())
    assert not socket_signed(verifier, params, hmac.digest(b"s", b"apiKey=k", "sha256").hex())


def test_a_signature_that_is_no_base64_is_refused_without_an_exception() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = Ed25519PrivateKey.from_private_bytes(b"1" * 32).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for text in ("", "***", "aGVsbG8=", "é"):
        assert not Verifier(public_pem=pem).fits(b"payload", text)
        assert not Verifier(secret="s").fits(b"payload", text)


def test_the_signature_is_taken_out_wherever_it_stands() -> None:
    assert without_signature("a=1&signature=x%2By&b=2") == ("a=1&b=2", "x+y")
    assert without_signature("a=1&b=2") == ("a=1&b=2", None)
    assert split_pairs("a=%20x&&b") == [("a", " x"), ("b", "")]


@pytest.mark.parametrize(
    ("sent_ms", "window", "code"),
    [(0, "", 0), (-5000, "", 0), (-5001, "", -1021), (999, "", 0), (1000, "", -1021), (-5, "4.999", -1021)],
)
def test_time_is_judged_to_the_millisecond(sent_ms: int, window: str, code: int) -> None:
    text = str(NOW // 10**6 + sent_ms)
    if not code:
        check_time(text, window, NOW)
        return
    with pytest.raises(ApiError) as refused:
        check_time(text, window, NOW)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("text", "decimals"),
    [
        ("1", 0),
        ("1.10", 1),
        ("0.00000001", 8),
        ("0.000", -1),
        ("0", -1),
        ("1e5", None),
        ("-1", None),
        (".5", None),
    ],
)
def test_numbers_are_read_as_the_venue_reads_them(text: str, decimals: int | None) -> None:
    assert decimals_of(text) == decimals


def test_a_query_counts_before_a_body_and_unread_parameters_are_told() -> None:
    params = Params.from_pairs([("symbol", "BTCUSDT"), ("symbol", "ETHUSDT"), ("more", "1"), ("empty", "")])
    assert params.symbol() == "BTCUSDT"
    with pytest.raises(ApiError) as refused:
        params.refuse_unread()
    assert refused.value.msg == "Not all sent parameters were read; read '1' parameter(s) but was sent '2'."
    params.allow("more")
    params.refuse_unread()


def test_json_parameters_are_read_as_text() -> None:
    params = Params.from_json({"quantity": 0.00001, "closePosition": True, "price": None, "ids": [1, 2]})
    assert params.number("quantity") == ("0.00001", 5)
    assert params.boolean("closePosition") is True
    assert "price" not in params
    assert params.json("ids") == [1, 2]


def test_windows_start_on_the_clock_and_counts_never_fall_below_zero() -> None:
    limits = Limits(Limit("REQUEST_WEIGHT", "MINUTE", 1, 10), (Limit("ORDERS", "SECOND", 10, 2),))
    start = NOW - NOW % (60 * 10**9)
    assert limits.spend("me", 6, start) == 6
    assert limits.spend("me", 4, start + 59 * 10**9) == 10
    with pytest.raises(ApiError) as refused:
        limits.spend("me", 1, start + 50 * 10**9)
    assert (refused.value.status, refused.value.retry_after) == (429, 10)
    assert limits.spend("other", 6, start + 50 * 10**9) == 6
    assert limits.spend("me", 5, start + 60 * 10**9) == 5
    limits.count_orders("a", start, 2)
    with pytest.raises(ApiError) as refused:
        limits.check_orders("a", start)
    assert refused.value.code == -1015
    limits.count_orders("a", start, -5)
    assert limits.order_rows("a", start)[0]["count"] == 0
    limits.check_orders("a", start, 2)


def test_bans_grow_with_each_offence() -> None:
    limits = Limits(Limit("REQUEST_WEIGHT", "MINUTE", 1, 1), ())
    now, waits = NOW - NOW % (60 * 10**9), []
    limits.spend("me", 1, now)
    for _ in range(3):
        while True:
            with pytest.raises(ApiError) as refused:
                limits.spend("me", 5, now)
            if refused.value.status == 418:
                break
        waits.append(refused.value.retry_after)
        assert limits.is_banned("me", now)
        now += (refused.value.retry_after or 0) * 10**9
        assert not limits.is_banned("me", now)
    assert waits == [120, 240, 480]
