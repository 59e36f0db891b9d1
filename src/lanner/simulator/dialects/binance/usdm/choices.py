"""What a USD-M account chooses: leverage, margin mode, position mode, margin of isolated positions."""

from __future__ import annotations

from lanner.simulator.dialect import Kind
from lanner.simulator.dialects.binance import errors
from lanner.simulator.dialects.binance.calls import Call, Operation, Security
from lanner.simulator.dialects.binance.errors import ApiError
from lanner.simulator.dialects.binance.usdm.positions import Positions, max_notional
from lanner.simulator.dialects.binance.usdm.words import SIDE_OF, SIDE_TEXT, Row, refusal
from lanner.simulator.dialects.binance.venue import Venue
from lanner.simulator.money import SCALE, atoms_text
from lanner.simulator.orders import PositionSide, RejectReason

SUCCESS = {"code": 200, "msg": "success"}


class Choices:
    """The operations that set how an account trades."""

    def __init__(self, venue: Venue, positions: Positions) -> None:
        self._venue = venue
        self._positions = positions
        self._multi: set[str] = set()
        """Accounts in multi-assets mode: with one margin asset it changes nothing but the answer."""
        self._margin_moves: dict[str, list[Row]] = {}

    def operations(self) -> list[Operation]:
        """Return what can be asked."""
        signed, control = Security.SIGNED, Kind.CONTROL
        return [
            Operation(self.set_leverage, ("POST /fapi/v1/leverage",), (), 1, signed, "trade", control),
            Operation(self.set_margin_type, ("POST /fapi/v1/marginType",), (), 1, signed, "trade", control),
            Operation(self.set_dual, ("POST /fapi/v1/positionSide/dual",), (), 1, signed, "trade", control),
            Operation(self.dual, ("GET /fapi/v1/positionSide/dual",), (), 30, signed),
            Operation(self.set_multi, ("POST /fapi/v1/multiAssetsMargin",), (), 1, signed, "trade", control),
            Operation(self.multi, ("GET /fapi/v1/multiAssetsMargin",), (), 30, signed),
            Operation(self.move_margin, ("POST /fapi/v1/positionMargin",), (), 1, signed, "trade", control),
            Operation(self.margin_moves, ("GET /fapi/v1/positionMargin/history",), (), 1, signed),
        ]

    def is_multi(self, account_id: str) -> bool:
        """Tell whether an account is in multi-assets mode."""
        return account_id in self._multi

    def set_leverage(self, call: Call) -> Row:
        """Choose the leverage of a symbol."""
        market = self._venue.market(call.params.symbol())
        leverage = call.params.integer("leverage")
        if leverage is None:
            raise errors.missing("leverage")
        found = self._venue.exchange.set_leverage(
            call.account.account_id, market.symbol, leverage, call.now_ns
        )
        if found == RejectReason.LEVERAGE:
            raise ApiError(-4028, f"Leverage {leverage} is not valid")
        if found == RejectReason.INSUFFICIENT_MARGIN:
            raise ApiError(-2028, "Leverage is smaller than permitted: insufficient margin balance.")
        if found != RejectReason.NONE:
            raise refusal(found, market)
        return {
            "leverage": leverage,
            "maxNotionalValue": max_notional(market, leverage),
            "symbol": market.symbol,
        }

    def set_margin_type(self, call: Call) -> Row:
        """Choose cross or isolated margin for a symbol."""
        market = self._venue.market(call.params.symbol())
        wanted = call.params.need("marginType")
        if wanted not in ("ISOLATED", "CROSSED"):
            raise errors.invalid_data("marginType")
        if wanted == "ISOLATED" and call.account.account_id in self._multi:
            raise ApiError(-4168, "Unable to adjust to isolated-margin mode under the Multi-Assets mode.")
        found = self._venue.exchange.set_margin_mode(
            call.account.account_id, market.symbol, wanted == "CROSSED", call.now_ns
        )
        if found != RejectReason.NONE:
            raise _choice(
                found,
                (-4046, "No need to change margin type."),
                (-4047, "Margin type cannot be changed if there exists open orders."),
                (-4048, "Margin type cannot be changed if there exists position."),
            )
        return dict(SUCCESS)

    def set_dual(self, call: Call) -> Row:
        """Choose one position per symbol, or a long and a short one."""
        wanted = call.params.boolean("dualSidePosition")
        if wanted is None:
            raise errors.missing("dualSidePosition")
        found = self._venue.exchange.set_hedge_mode(call.account.account_id, wanted, call.now_ns)
        if found != RejectReason.NONE:
            raise _choice(
                found,
                (-4059, "No need to change position side."),
                (-4067, "Position side cannot be changed if there exists open orders."),
                (-4068, "Position side cannot be changed if there exists position."),
            )
        return dict(SUCCESS)

    def dual(self, call: Call) -> Row:
        """Tell the position mode."""
        return {"dualSidePosition": call.account.hedge_mode}

    def set_multi(self, call: Call) -> Row:
        """Choose multi-assets mode; there is one margin asset, so that it changes no figure."""
        wanted = call.params.boolean("multiAssetsMargin")
        if wanted is None:
            raise errors.missing("multiAssetsMargin")
        account = call.account
        if wanted == (account.account_id in self._multi):
            raise ApiError(
                -4171, "Adjusted asset mode is currently set and does not need to be adjusted repeatedly."
            )
        if wanted and any(not one.cross for one in account.settings.values()):
            raise ApiError(
                -4167,
                "Unable to adjust to Multi-Assets mode with symbols of USDⓈ-M Futures under isolated-margin mode.",
            )
        if account.open_orders:
            raise ApiError(-4170, "Unable to adjust Multi-Assets Mode with open orders in USDⓈ-M Futures.")
        (self._multi.add if wanted else self._multi.discard)(account.account_id)
        return dict(SUCCESS)

    def multi(self, call: Call) -> Row:
        """Tell whether the account is in multi-assets mode."""
        return {"multiAssetsMargin": call.account.account_id in self._multi}

    def move_margin(self, call: Call) -> Row:
        """Add margin to an isolated position, or take it away."""
        params, account = call.params, call.account
        market = self._venue.market(params.symbol())
        amount, kind = params.need_decimal("amount"), params.integer("type")
        if kind not in (1, 2):
            raise errors.invalid_data("type")
        if not amount:
            raise ApiError(-4055, "Amount must be positive.")
        side = SIDE_OF.get(params.text("positionSide", "BOTH"))
        if side is None or (side == PositionSide.BOTH) == account.hedge_mode:
            raise ApiError(-4061, "Order's position side does not match user's setting.")
        position = account.position(market.symbol, side)
        if self._positions.setting(account, market).cross:
            raise ApiError(-4049, "Add margin only support for isolated position.")
        if position is None or not position.lots:
            raise ApiError(-4054, "Cannot add position margin: position is 0.")
        atoms = int(amount * SCALE) * (1 if kind == 1 else -1)
        found = self._venue.exchange.add_margin(account.account_id, market.symbol, atoms, call.now_ns, side)
        if found != RejectReason.NONE:
            short = (
                (-4050, "Cross balance insufficient.")
                if kind == 1
                else (-4051, "Isolated balance insufficient.")
            )
            raise ApiError(*short)
        self._margin_moves.setdefault(account.account_id, []).append(
            {
                "symbol": market.symbol,
                "type": kind,
                "deltaType": "USER_ADJUST",
                "amount": atoms_text(atoms),
                "asset": market.settle,
                "time": call.time(call.now_ns),
                "positionSide": SIDE_TEXT[side],
            }
        )
        return {
            "amount": float(amount),
            "code": 200,
            "msg": "Successfully modify position margin.",
            "type": kind,
        }

    def margin_moves(self, call: Call) -> list[Row]:
        """Tell how isolated margin was moved."""
        params = call.params
        market = self._venue.market(params.symbol())
        kind = params.integer("type")
        params.allow("startTime", "endTime")
        limit = params.limit(500, 500)
        rows = self._margin_moves.get(call.account.account_id, [])
        found = [one for one in rows if one["symbol"] == market.symbol and kind in (None, one["type"])]
        return found[-limit:]


def _choice(
    found: RejectReason, same: tuple[int, str], orders: tuple[int, str], position: tuple[int, str]
) -> ApiError:
    words = {
        RejectReason.NO_CHANGE: same,
        RejectReason.HAS_ORDERS: orders,
        RejectReason.HAS_POSITION: position,
    }
    return ApiError(*words[found]) if found in words else refusal(found)
