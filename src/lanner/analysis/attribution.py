"""Split the profit of a run into price, fees, funding and slippage in parts that sum to it exactly."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext

from lanner.analysis.records import Attribution

# Money of any size is added without rounding; the default context would cut at 28 digits.
_DIGITS = 200


@dataclass(frozen=True, slots=True)
class WaterfallStep:
    """Hold one bar of the waterfall: it reaches from `start` to `end`; totals start at zero."""

    label: str
    amount: Decimal
    start: Decimal
    end: Decimal
    total: bool


def attribute(total: Decimal, *, fees: Decimal, funding: Decimal, slippage: Decimal) -> Attribution:
    """Return the attribution of `total`, with what is left after costs as the effect of prices.

    `fees` and `slippage` are costs (positive when paid), `funding` is a receipt (negative when paid).
    Slippage is what the fills lost against the prices the model saw, so `price` is the profit at those
    prices.
    """
    with localcontext() as context:
        context.prec = _DIGITS
        price = total + fees - funding + slippage
        return Attribution(price=price, fees=-fees, funding=funding, slippage=-slippage, total=total)


def is_exact(attribution: Attribution) -> bool:
    """Return whether the four parts sum to the total, to the last digit."""
    with localcontext() as context:
        context.prec = _DIGITS
        parts = attribution.price + attribution.fees + attribution.funding + attribution.slippage
        return parts == attribution.total


def waterfall(attribution: Attribution) -> list[WaterfallStep]:
    """Return the steps from zero through each cause to the profit of the run, which is the last step."""
    with localcontext() as context:
        context.prec = _DIGITS
        level = Decimal(0)
        steps: list[WaterfallStep] = []
        for label, amount in (
            ("Price", attribution.price),
            ("Slippage", attribution.slippage),
            ("Fees", attribution.fees),
            ("Funding", attribution.funding),
        ):
            steps.append(WaterfallStep(label, amount, level, level + amount, False))
            level += amount
        steps.append(WaterfallStep("Profit", level, Decimal(0), level, True))
        return steps
