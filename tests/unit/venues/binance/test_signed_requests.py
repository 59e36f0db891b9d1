"""Requests are signed as the venue documents it: every published and generated vector is reproduced."""

from __future__ import annotations

import json
from hmac import digest
from pathlib import Path
from typing import Any

import pytest

from lanner.venues.binance.auth import Signer, encoded, percent, sorted_text
from lanner.venues.binance.spec import BINANCE_SPOT
from lanner.venues.binance.spot import BinanceSpotCodec
from lanner.venues.errors import ErrorKind, VenueError
from lanner.venues.keys import Keys
from tests.unit.venues.binance.material import keys


@pytest.fixture
def vectors(shared_data: Path) -> dict[str, Any]:
    file = shared_data / "signing" / "binance.json"
    if not file.is_file():
        pytest.skip(f"no vectors at {file}")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def made(case: dict[str, Any]) -> str:
    """Return what our code signs for a vector's parameters."""
    params = case.get("params") or case.get("params_obj")
    if params is None:
        return str(case["payload"])
    if isinstance(params, list):
        return encoded(dict(params))
    return sorted_text(params)


def test_documented_hmac_vectors_are_reproduced(vectors: dict[str, Any]) -> None:
    count = 0
    for case in vectors["documented"]:
        if "secret" not in case:
            continue
        signer = Keys("hmac", case["secret"], api_key=case["api_key"])
        assert made(case) == case["payload"]
        assert signer.sign_text(case["payload"].encode()) == case["signature"], case["id"]
        count += 1
    assert count == 4


def test_the_documented_ed25519_vector_is_reproduced(vectors: dict[str, Any]) -> None:
    case = next(one for one in vectors["documented"] if "private_key_der_b64" in one)
    signer = Keys("ed25519", case["private_key_der_b64"], api_key="k")
    assert signer.sign_text(case["payload"].encode()) == case["signature"]


def test_base64_signatures_are_percent_encoded_as_documented(vectors: dict[str, Any]) -> None:
    cases = [one for one in vectors["documented"] if "signature_percent_encoded" in one]
    assert len(cases) == 4
    assert [percent(one["signature"]) for one in cases] == [one["signature_percent_encoded"] for one in cases]


@pytest.mark.parametrize("kind", ["hmac", "ed25519", "rsa"])
def test_every_generated_case_is_reproduced_by_every_kind_of_key(vectors: dict[str, Any], kind: str) -> None:
    shared = vectors["generated_shared"]
    secret = shared["hmac_secret"] if kind == "hmac" else shared[f"{kind}_private_der_b64"]
    signer = Keys(kind, secret, api_key=shared["api_key"])
    assert len(shared["cases"]) == 13
    for case in shared["cases"]:
        payload = made(case)
        assert payload == case["payload"], case["id"]
        assert signer.sign_text(payload.encode()) == case[kind], case["id"]


def test_a_request_over_http_ends_with_the_signature_of_what_stands_before_it() -> None:
    request = Signer(keys()).signed("POST", "/api/v3/order", {"symbol": "BTCUSDT", "note": "a b&c"}, 1_700)
    query, _, signature = request.query.rpartition("&signature=")
    assert query == "symbol=BTCUSDT&note=a%20b%26c&recvWindow=5000&timestamp=1700"
    assert signature == digest(b"devA" * 16, query.encode(), "sha256").hex()
    assert (request.headers, request.body) == ({"X-MBX-APIKEY": "keyA" * 16}, b"")


def test_a_frame_signs_its_parameters_sorted_and_not_encoded() -> None:
    frame = json.loads(Signer(keys()).frame("o1", "order.cancel", {"symbol": "é", "a": "1"}, 1_700))
    params = frame["params"]
    signature = params.pop("signature")
    text = "a=1&apiKey=" + "keyA" * 16 + "&recvWindow=5000&symbol=é&timestamp=1700"
    assert "&".join(f"{name}={params[name]}" for name in sorted(params)) == text
    assert signature == digest(b"devA" * 16, text.encode(), "sha256").hex()
    assert (frame["id"], frame["method"]) == ("o1", "order.cancel")


def test_an_ed25519_key_logs_on_and_then_needs_no_signature(vectors: dict[str, Any]) -> None:
    shared = vectors["generated_shared"]
    key = Keys("ed25519", shared["ed25519_private_der_b64"], api_key=shared["api_key"])
    codec = BinanceSpotCodec(BINANCE_SPOT.mainnet, key)
    route = codec.trade_route()
    assert route is not None
    (hello,) = route.hello(1767225600010, 0, "")
    assert json.loads(hello)["method"] == "session.logon"
    frame = json.loads(codec.signer.stamped("o1", "order.place", {"symbol": "BTCUSDT"}, 5))
    assert frame["params"] == {"symbol": "BTCUSDT", "timestamp": 5}


def test_a_codec_without_a_key_refuses_what_needs_one() -> None:
    codec = BinanceSpotCodec(BINANCE_SPOT.mainnet)
    for ask in (codec.account, codec.user_routes, codec.trade_route, codec.rights, codec.open_orders):
        with pytest.raises(VenueError) as refused:
            ask()
        assert refused.value.kind is ErrorKind.AUTH
    assert codec.server_time().build(0, 0).path == "/api/v3/time"


def test_secrets_are_not_in_requests_or_their_texts() -> None:
    codec = BinanceSpotCodec(BINANCE_SPOT.mainnet, keys())
    call = codec.account()[0]
    assert "devAdevA" not in repr(call) + repr(call.build(1, 1)) + repr(vars(codec))
