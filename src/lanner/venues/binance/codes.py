"""The venue's error codes, translated once: into a kind of fault and, for refusals, into our own word for them.

Codes below -2000 are shared by both products except where noted; -4xxx and -5xxx are futures only. Refusals of the
matching engine (-1010, -1013, -2010, -2011 …) are told apart by their text, as the venue documents them.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lanner.venues.errors import ErrorKind, Reason, VenueError

_K, _R = ErrorKind, Reason
Verdict = tuple[ErrorKind, str]

_BAD = (_K.REJECTED, _R.BAD_REQUEST)
_UNSUPPORTED = (_K.REJECTED, _R.UNSUPPORTED)
_AUTH = (_K.AUTH, "")
_OTHER = (_K.REJECTED, _R.OTHER)


def _all(verdict: Verdict, *codes: int) -> dict[int, Verdict]:
    return dict.fromkeys(codes, verdict)


CODES: Mapping[int, Verdict] = {
    # server and network
    **_all((_K.UNANSWERED, ""), -1000, -1001, -1006, -1007),
    **_all((_K.RETRY, ""), -1008, -1016),
    **_all((_K.RATE_LIMITED, ""), -1003, -1015, -1034, -1181, -1191),
    **_all(_AUTH, -1002, -1004, -1005, -1011, -1022, -1099, -2014, -2015, -2017),
    **_all((_K.RETRY, _R.CLOCK), -1021, -5028),
    **_all(_OTHER, -1010, -1013, -2010, -2011, -2012),
    **_all(_UNSUPPORTED, -1014, -1020, -1158, -1160, -4120),
    # requests
    **_all(_BAD, -1023, *range(-1106, -1099), -1109, -1110, -1112, -1113, *range(-1120, -1113)),
    **_all(_BAD, -1122, *range(-1130, -1125), -1134, -1135, -1136, -1139, -1145, -1151, -1152, -1153, -1155),
    **_all(_BAD, -1161, *range(-1190, -1168), -1194),
    -1033: _AUTH,
    -1035: (_K.RETRY, ""),
    -1108: _BAD,
    -1111: (_K.REJECTED, _R.PRICE_GRID),
    -1121: (_K.REJECTED, _R.UNKNOWN_INSTRUMENT),
    -1125: _AUTH,
    -1165: (_K.REJECTED, _R.WOULD_TRIGGER),
    -1166: (_K.REJECTED, _R.WOULD_TRIGGER),
    -1168: _UNSUPPORTED,
    **_all((_K.REJECTED, _R.WOULD_TRIGGER), -1196, -1197, -1198, -1199),
    # matching engine
    -2013: (_K.REJECTED, _R.UNKNOWN_ORDER),
    -2016: (_K.REJECTED, _R.MARKET_CLOSED),
    -2018: (_K.REJECTED, _R.INSUFFICIENT_FUNDS),
    -2019: (_K.REJECTED, _R.INSUFFICIENT_FUNDS),
    -2020: (_K.REJECTED, _R.NO_LIQUIDITY),
    -2023: (_K.REJECTED, _R.MARKET_CLOSED),
    -2024: (_K.REJECTED, _R.REDUCE_ONLY),
    -2025: (_K.REJECTED, _R.TOO_MANY_ORDERS),
    -2026: (_K.REJECTED, _R.UNKNOWN_ORDER),
    -2027: (_K.REJECTED, _R.POSITION_LIMIT),
    -2028: (_K.REJECTED, _R.LEVERAGE),
    # futures: parameters of orders
    -4000: _BAD,
    **_all((_K.REJECTED, _R.PRICE_GRID), -4001, -4012, -4013, -4014, -4025, -4026, -4029),
    **_all((_K.REJECTED, _R.PRICE_BAND), -4002, -4016, -4024, -4131, -4184),
    **_all((_K.REJECTED, _R.QTY_GRID), -4003, -4023, -4030),
    **_all((_K.REJECTED, _R.QTY_LIMITS), -4004, -4005, -4006, -4007, -4008, -4138),
    **_all((_K.REJECTED, _R.PRICE_GRID), -4009, -4010, -4011, -4017, -4018, -4019, -4020, -4021, -4022),
    -4015: _BAD,
    -4027: (_K.REJECTED, _R.POSITION_LIMIT),
    -4028: (_K.REJECTED, _R.LEVERAGE),
    **_all(_BAD, -4031, -4032, -4033, -4034, -4035, -4036, -4037, -4038, -4039, -4040, -4041, -4042, -4043),
    -4044: (_K.REJECTED, _R.LEVERAGE),
    -4045: (_K.REJECTED, _R.TOO_MANY_ORDERS),
    **_all((_K.REJECTED, _R.LEVERAGE), -4046, -4047, -4048, -4049),
    **_all((_K.REJECTED, _R.INSUFFICIENT_FUNDS), -4050, -4051, -4052, -4053, -4054),
    **_all(_BAD, -4055, -4060, -4061, -4062, -4063, -4064, -4065, -4066, -4069, -4070, -4071, -4072),
    **_all(_AUTH, -4056, -4057, -4087, -4088, -4109),
    **_all(_OTHER, -4058, -4059, -4067, -4068, -4073, -4074, -4075, -4076, -4077, -4078, -4079, -4080),
    **_all(_BAD, -4081, -4084, -4085, -4086, -4104, -4105, -4106, -4107, -4108, -4110, -4114, -4115),
    -4082: (_K.REJECTED, _R.QTY_LIMITS),
    -4083: (_K.REJECTED, _R.NO_LIQUIDITY),
    -4116: (_K.REJECTED, _R.DUPLICATE_ID),
    -4111: (_K.REJECTED, _R.DUPLICATE_ID),
    -4118: (_K.REJECTED, _R.REDUCE_ONLY),
    -4135: _BAD,
    -4136: _BAD,
    -4137: (_K.REJECTED, _R.QTY_LIMITS),
    -4139: _BAD,
    -4140: (_K.REJECTED, _R.MARKET_CLOSED),
    -4141: (_K.REJECTED, _R.MARKET_CLOSED),
    -4142: (_K.REJECTED, _R.WOULD_TRIGGER),
    -4144: (_K.REJECTED, _R.UNKNOWN_INSTRUMENT),
    -4161: (_K.REJECTED, _R.LEVERAGE),
    -4164: (_K.REJECTED, _R.MIN_NOTIONAL),
    -4165: _BAD,
    -4167: (_K.REJECTED, _R.LEVERAGE),
    -4168: (_K.REJECTED, _R.LEVERAGE),
    -4169: (_K.REJECTED, _R.INSUFFICIENT_FUNDS),
    -4170: (_K.REJECTED, _R.INSUFFICIENT_FUNDS),
    -4171: _OTHER,
    -4172: _OTHER,
    **_all((_K.REJECTED, _R.PRICE_BAND), -4178, -4179),
    -4183: (_K.REJECTED, _R.PRICE_BAND),
    -4188: (_K.REJECTED, _R.PRICE_BAND),
    -4189: _BAD,
    -4192: (_K.REJECTED, _R.REDUCE_ONLY),
    **_all((_K.REJECTED, _R.LEVERAGE), -4202, -4203, -4205, -4206, -4208, -4209, -4210, -4211),
    -4400: (_K.REJECTED, _R.REDUCE_ONLY),
    -4401: (_K.REJECTED, _R.REDUCE_ONLY),
    **_all(_OTHER, -4402, -4403),
    -4531: _BAD,
    # execution on futures
    -5021: (_K.REJECTED, _R.NO_LIQUIDITY),
    -5022: (_K.REJECTED, _R.POST_ONLY),
    -5024: (_K.REJECTED, _R.MARKET_CLOSED),
    -5025: (_K.REJECTED, _R.BAD_REQUEST),
    -5026: (_K.REJECTED, _R.TOO_MANY_ORDERS),
    -5027: (_K.REJECTED, _R.BAD_REQUEST),
    -5037: _BAD,
    -5038: _BAD,
    -5039: _UNSUPPORTED,
    -5040: _BAD,
    -5041: (_K.REJECTED, _R.NO_LIQUIDITY),
}
"""Documented codes. Codes that mean that the outcome of a command is unknown are UNANSWERED: never a refusal."""

TEXTS: tuple[tuple[str, str], ...] = (
    ("Filter failure: PRICE_FILTER", _R.PRICE_GRID),
    ("Filter failure: PERCENT_PRICE", _R.PRICE_BAND),
    ("Filter failure: LOT_SIZE", _R.QTY_GRID),
    ("Filter failure: MARKET_LOT_SIZE", _R.QTY_LIMITS),
    ("Filter failure: MIN_NOTIONAL", _R.MIN_NOTIONAL),
    ("Filter failure: NOTIONAL", _R.MIN_NOTIONAL),
    ("Filter failure: ICEBERG_PARTS", _R.QTY_LIMITS),
    ("Filter failure: MAX_POSITION", _R.POSITION_LIMIT),
    ("Filter failure: MAX_NUM_", _R.TOO_MANY_ORDERS),
    ("Filter failure: EXCHANGE_MAX_NUM_", _R.TOO_MANY_ORDERS),
    ("Filter failure: MAX_ASSET", _R.QTY_LIMITS),
    ("Filter failure: TRAILING_DELTA", _R.BAD_REQUEST),
    ("Filter failure: T_PLUS_SELL", _R.INSUFFICIENT_FUNDS),
    ("Unknown order", _R.UNKNOWN_ORDER),
    ("Order does not exist", _R.UNKNOWN_ORDER),
    ("Order was not canceled due to cancel restrictions", _R.UNKNOWN_ORDER),
    ("Cancel order is invalid", _R.UNKNOWN_ORDER),
    ("Duplicate", _R.DUPLICATE_ID),
    ("ClientOrderId is duplicated", _R.DUPLICATE_ID),
    ("Market is closed", _R.MARKET_CLOSED),
    ("insufficient balance", _R.INSUFFICIENT_FUNDS),
    ("Margin is insufficient", _R.INSUFFICIENT_FUNDS),
    ("Order would immediately match and take", _R.POST_ONLY),
    ("Order would immediately trigger", _R.WOULD_TRIGGER),
    ("Order would trigger immediately", _R.WOULD_TRIGGER),
    ("The relationship of the prices for the orders is not correct", _R.WOULD_TRIGGER),
    ("ReduceOnly", _R.REDUCE_ONLY),
    ("Order book liquidity is less than", _R.NO_LIQUIDITY),
    ("Price * QTY is zero or less", _R.MIN_NOTIONAL),
    ("IcebergQty exceeds QTY", _R.QTY_LIMITS),
    ("are not supported for this symbol", _R.UNSUPPORTED),
    ("are not support for this symbol", _R.UNSUPPORTED),
    ("is not supported for this symbol", _R.UNSUPPORTED),
    ("Unsupported order combination", _R.UNSUPPORTED),
    ("This symbol is not permitted", _R.UNKNOWN_INSTRUMENT),
    ("This symbol is restricted", _R.UNKNOWN_INSTRUMENT),
    ("reached max", _R.TOO_MANY_ORDERS),
    ("self-trade", _R.SELF_TRADE),
)
"""Beginnings or parts of the matching engine's refusals, first match counts."""

_ANSWERS = frozenset({-2013, -4046, -4059})
_BY_TEXT = frozenset({-1010, -1013, -2010, -2011, -2012, -2021, -2022})
_ACCOUNT_TEXTS = ("This action is disabled", "may not place or cancel orders", "API trading is not enabled")


def verdict(code: int, msg: str) -> Verdict:
    """Judge a code together with its text."""
    if code == -2021 and "immediately trigger" in msg:  # futures; on spot -2021 is a half-failed replace
        return _K.REJECTED, _R.WOULD_TRIGGER
    if code == -2022 and "ReduceOnly" in msg:
        return _K.REJECTED, _R.REDUCE_ONLY
    if code in _BY_TEXT or code not in CODES:
        if any(text in msg for text in _ACCOUNT_TEXTS):
            return _AUTH
        for text, reason in TEXTS:
            if text in msg:
                return _K.REJECTED, reason
        return CODES.get(code, _OTHER)
    return CODES[code]


class ErrorBody(msgspec.Struct):
    """What the venue answers when it says no; ``data`` of a replace tells its two halves."""

    code: int = 0
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw()


_decode_error = msgspec.json.Decoder(ErrorBody, strict=False).decode


def error_of(body: bytes) -> ErrorBody | None:
    """Read an error body; None when it is none."""
    if b'"code"' not in body:
        return None
    try:
        found = _decode_error(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return found if found.code < 0 else None


def fault_of(status: int, code: int, msg: str, retry_after: str = "") -> VenueError:
    """Make the fault of a code (0: none was told) and an HTTP status (0: it came over a socket).

    A 5xx without a telling code is UNANSWERED: the venue may have done it. ``503 Service Unavailable`` and -1008 are
    documented as not executed.
    """
    text = msg[:300] or "no reason told"
    wait = _seconds(retry_after)
    if status in (418, 429):
        return VenueError(_K.RATE_LIMITED, text, code=str(code or status), retry_after_s=wait)
    if status == 403:
        return VenueError(_K.RATE_LIMITED, f"refused by the venue's firewall: {text}", code="403")
    if status >= 500:
        kind = CODES[code][0] if code in (-1008, -1016) else _K.UNANSWERED
        if "Service Unavailable" in msg:
            kind = _K.RETRY
        return VenueError(kind, text, code=str(code or status))
    if code == 0:
        kind = _K.AUTH if status == 401 else _K.REJECTED
        reason = "" if kind is _K.AUTH else _R.OTHER
        return VenueError(kind, text, code=str(status), reason=reason)
    kind, reason = verdict(code, msg)
    fix = "Check this machine's clock." if code in (-1021, -5028) else None
    return VenueError(kind, text, code=str(code), reason=reason, retry_after_s=wait, fix=fix)


def fault(status: int, headers: Mapping[str, str], body: bytes) -> VenueError | None:
    """Judge an HTTP answer: None when it is no error.

    -2013 (no such order) is an answer, which only a query for an order can get: its reader makes None of it. -4046 and
    -4059 say that a setting is as it was asked for already.
    """
    found = error_of(body) if status >= 400 or (body[:1] == b"{" and b'"msg"' in body[:400]) else None
    if found is None:
        if status < 400:
            return None
        return fault_of(status, 0, body[:300].decode(errors="replace"), _retry_after(headers))
    if found.code in _ANSWERS:
        return None
    return fault_of(status, found.code, found.msg, _retry_after(headers))


def _retry_after(headers: Mapping[str, str]) -> str:
    for name, value in headers.items():
        if name.lower() == "retry-after":
            return value
    return ""


def _seconds(text: str) -> float | None:
    return float(text) if text.isdigit() else None
