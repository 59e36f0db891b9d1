"""The venue's codes and texts become six kinds of fault, and refusals our own words."""

from __future__ import annotations

import pytest

from lanner.venues.binance.codes import CODES, TEXTS, fault, verdict
from lanner.venues.errors import ErrorKind, Reason
from tests.unit.venues.binance.material import spot

K = ErrorKind

JUDGED = {
    (-1003, "Too many requests queued."): (K.RATE_LIMITED, ""),
    (-1015, "Too many new orders."): (K.RATE_LIMITED, ""),
    (-1006, "Execution status unknown."): (K.UNANSWERED, ""),
    (-1007, "Timeout waiting for response from backend server."): (K.UNANSWERED, ""),
    (-1008, "Server is currently overloaded with other requests."): (K.RETRY, ""),
    (-1021, "Timestamp for this request is outside of the recvWindow."): (K.RETRY, Reason.CLOCK),
    (-1022, "Signature for this request is not valid."): (K.AUTH, ""),
    (-2014, "API-key format invalid."): (K.AUTH, ""),
    (-2015, "Invalid API-key, IP, or permissions for action."): (K.AUTH, ""),
    (-1121, "Invalid symbol."): (K.REJECTED, Reason.UNKNOWN_INSTRUMENT),
    (-1111, "Parameter 'price' has too much precision."): (K.REJECTED, Reason.PRICE_GRID),
    (-1013, "Filter failure: PRICE_FILTER"): (K.REJECTED, Reason.PRICE_GRID),
    (-1013, "Filter failure: LOT_SIZE"): (K.REJECTED, Reason.QTY_GRID),
    (-1013, "Filter failure: MARKET_LOT_SIZE"): (K.REJECTED, Reason.QTY_LIMITS),
    (-1013, "Filter failure: NOTIONAL"): (K.REJECTED, Reason.MIN_NOTIONAL),
    (-1013, "Filter failure: MIN_NOTIONAL"): (K.REJECTED, Reason.MIN_NOTIONAL),
    (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE"): (K.REJECTED, Reason.PRICE_BAND),
    (-1013, "Filter failure: MAX_NUM_ALGO_ORDERS"): (K.REJECTED, Reason.TOO_MANY_ORDERS),
    (-1013, "Filter failure: EXCHANGE_MAX_NUM_ORDERS"): (K.REJECTED, Reason.TOO_MANY_ORDERS),
    (-1013, "Filter failure: MAX_POSITION"): (K.REJECTED, Reason.POSITION_LIMIT),
    (-2010, "Account has insufficient balance for requested action."): (
        K.REJECTED,
        Reason.INSUFFICIENT_FUNDS,
    ),
    (-2010, "Order would immediately match and take."): (K.REJECTED, Reason.POST_ONLY),
    (-2010, "Stop price would trigger immediately."): (K.REJECTED, Reason.OTHER),
    (-2010, "Order would trigger immediately."): (K.REJECTED, Reason.WOULD_TRIGGER),
    (-2010, "Duplicate order sent."): (K.REJECTED, Reason.DUPLICATE_ID),
    (-2010, "Market is closed."): (K.REJECTED, Reason.MARKET_CLOSED),
    (-2010, "This action is disabled on this account."): (K.AUTH, ""),
    (-2010, "Iceberg orders are not supported for this symbol."): (K.REJECTED, Reason.UNSUPPORTED),
    (-2011, "Unknown order sent."): (K.REJECTED, Reason.UNKNOWN_ORDER),
    (-2013, "Order does not exist."): (K.REJECTED, Reason.UNKNOWN_ORDER),
    (-2018, "Balance is insufficient."): (K.REJECTED, Reason.INSUFFICIENT_FUNDS),
    (-2019, "Margin is insufficient."): (K.REJECTED, Reason.INSUFFICIENT_FUNDS),
    (-2021, "Order would immediately trigger."): (K.REJECTED, Reason.WOULD_TRIGGER),
    (-2022, "ReduceOnly Order is rejected."): (K.REJECTED, Reason.REDUCE_ONLY),
    (-2027, "Exceeded the maximum allowable position."): (K.REJECTED, Reason.POSITION_LIMIT),
    (-4003, "Quantity less than zero."): (K.REJECTED, Reason.QTY_GRID),
    (-4014, "Price not increased by tick size."): (K.REJECTED, Reason.PRICE_GRID),
    (-4028, "Leverage is not valid"): (K.REJECTED, Reason.LEVERAGE),
    (-4116, "ClientOrderId is duplicated."): (K.REJECTED, Reason.DUPLICATE_ID),
    (-4120, "Order type not supported for this endpoint."): (K.REJECTED, Reason.UNSUPPORTED),
    (-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit."): (
        K.REJECTED,
        Reason.PRICE_BAND,
    ),
    (-4164, "Order's notional must be no smaller than 5"): (K.REJECTED, Reason.MIN_NOTIONAL),
    (-5021, "FOK order could not be filled immediately"): (K.REJECTED, Reason.NO_LIQUIDITY),
    (-5022, "Post Only order will be rejected"): (K.REJECTED, Reason.POST_ONLY),
    (-9999, "Something new"): (K.REJECTED, Reason.OTHER),
}


@pytest.mark.parametrize(("code", "msg"), JUDGED)
def test_a_code_and_its_text_are_judged_as_documented(code: int, msg: str) -> None:
    assert verdict(code, msg) == JUDGED[code, msg]


def test_every_verdict_has_a_kind_and_refusals_have_a_word() -> None:
    words = {value for name, value in vars(Reason).items() if name.isupper()}
    assert len(CODES) > 200
    for code, (kind, reason) in CODES.items():
        assert code < 0
        assert (reason in words) == (kind is K.REJECTED or reason == Reason.CLOCK), code
    assert all(reason in words for _, reason in TEXTS)


ANSWERS = [
    (200, {}, b"{}", None, None),
    (200, {}, b'{"code":200,"msg":"The operation of cancel all open order is done."}', None, None),
    (200, {}, b"[]", None, None),
    (400, {}, b'{"code":-2013,"msg":"Order does not exist."}', None, None),
    (400, {}, b'{"code":-4046,"msg":"No need to change margin type."}', None, None),
    (400, {}, b'{"code":-1121,"msg":"Invalid symbol."}', K.REJECTED, None),
    (401, {}, b'{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}', K.AUTH, None),
    (401, {}, b"", K.AUTH, None),
    (403, {}, b"<html>Request blocked</html>", K.RATE_LIMITED, None),
    (404, {}, b"not found", K.REJECTED, None),
    (418, {"Retry-After": "120"}, b'{"code":-1003,"msg":"Way too many requests"}', K.RATE_LIMITED, 120.0),
    (429, {"retry-after": "7"}, b'{"code":-1003,"msg":"Too much request weight used"}', K.RATE_LIMITED, 7.0),
    (500, {}, b"", K.UNANSWERED, None),
    (503, {}, b"Unknown error, please check your request or try again later.", K.UNANSWERED, None),
    (503, {}, b'{"code":-1000,"msg":"Unknown error, please check your request"}', K.UNANSWERED, None),
    (503, {}, b"Service Unavailable.", K.RETRY, None),
    (503, {}, b'{"code":-1008,"msg":"Request throttled by system-level protection."}', K.RETRY, None),
    (504, {}, b'{"code":-1007,"msg":"Timeout"}', K.UNANSWERED, None),
]


@pytest.mark.parametrize(("status", "headers", "body", "kind", "wait"), ANSWERS)
def test_an_http_answer_is_judged_by_code_and_status(
    status: int, headers: dict[str, str], body: bytes, kind: ErrorKind | None, wait: float | None
) -> None:
    found = fault(status, headers, body)
    assert (None if found is None else found.kind) == kind
    assert found is None or found.retry_after_s == wait


def test_an_order_that_the_venue_never_heard_of_is_none() -> None:
    call = spot().find_order("BTC-USDT.BINANCE", "o1")
    assert call.parse(b'{"code":-2013,"msg":"Order does not exist."}', 1) is None
