"""What the venue answers when it refuses: a code, a text, an HTTP status.

Codes and texts are those of Binance's ``errors.md`` (spot) and of its USD-M error page. Filters and orders are
refused with status 400, keys with 401 and limits with 429 or 418.
"""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """Carry a refusal to the edge, where it becomes a JSON answer."""

    def __init__(
        self, code: int, msg: str, *, status: int = 400, data: Any = None, retry_after: int | None = None
    ) -> None:
        super().__init__(f"{code} {msg}")
        self.code = code
        self.msg = msg
        self.status = status
        self.data = data
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """Return the refusal as the venue writes it."""
        found: dict[str, Any] = {"code": self.code, "msg": self.msg}
        if self.data is not None:
            found["data"] = self.data
        return found


def missing(name: str) -> ApiError:
    """Refuse because a mandatory parameter is not there."""
    return ApiError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def either_missing(first: str, second: str) -> ApiError:
    """Refuse because neither of two parameters is there."""
    return ApiError(-1102, f"Param '{first}' or '{second}' must be sent, but both were empty/null!")


def illegal(name: str, legal: str) -> ApiError:
    """Refuse because a parameter has characters that do not belong there."""
    return ApiError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def empty(name: str) -> ApiError:
    """Refuse because a parameter was sent without a value."""
    return ApiError(-1105, f"Parameter '{name}' was empty.")


def not_required(name: str) -> ApiError:
    """Refuse because a parameter does not belong to this kind of order."""
    return ApiError(-1106, f"Parameter '{name}' sent when not required.")


def invalid_data(name: str) -> ApiError:
    """Refuse because a parameter's value makes no sense."""
    return ApiError(-1130, f"Data sent for parameter '{name}' is not valid.")


def bad_symbol() -> ApiError:
    """Refuse because the symbol does not exist."""
    return ApiError(-1121, "Invalid symbol.")


def bad_combination() -> ApiError:
    """Refuse because optional parameters do not go together."""
    return ApiError(-1128, "Combination of optional parameters invalid.")


def filter_failure(name: str) -> ApiError:
    """Refuse because a filter of the symbol says no."""
    return ApiError(-1013, f"Filter failure: {name}")


def rejected(text: str) -> ApiError:
    """Refuse a new order in the words of the matching engine."""
    return ApiError(-2010, text)


def cancel_rejected(text: str = "Unknown order sent.") -> ApiError:
    """Refuse a cancel in the words of the matching engine."""
    return ApiError(-2011, text)


def no_such_order() -> ApiError:
    """Refuse because the order does not exist."""
    return ApiError(-2013, "Order does not exist.")


def bad_key_format() -> ApiError:
    """Refuse because the key cannot be a key."""
    return ApiError(-2014, "API-key format invalid.", status=401)


def bad_key() -> ApiError:
    """Refuse because the key is unknown, or may not do this."""
    return ApiError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)


def bad_signature() -> ApiError:
    """Refuse because the signature does not fit the payload that arrived."""
    return ApiError(-1022, "Signature for this request is not valid.")


def late() -> ApiError:
    """Refuse because the request took too long."""
    return ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")


def early() -> ApiError:
    """Refuse because the request comes from the future."""
    return ApiError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")


def unknown_path() -> ApiError:
    """Refuse because nothing lives at this path."""
    return ApiError(-5000, "Path not found, unsupported or not allowed for this method.", status=404)
