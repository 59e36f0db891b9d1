"""The reference page of the order life cycle, made from its table so that it cannot disagree with the code.

`python -m lanner.execution.reference > docs/reference/order-lifecycle.md` writes it anew.
"""

from __future__ import annotations

import sys

from lanner.execution.lifecycle import LIFECYCLE
from lanner.model.enums import OrderStatus
from lanner.model.orders import FINAL_STATUSES, OPEN_STATUSES

_S = OrderStatus

MEANINGS = {
    _S.INITIALIZED: "Made by the strategy; nobody has checked it yet.",
    _S.DENIED: "Refused by the house's own risk checks. It never left.",
    _S.HELD: "Waits here for its parent order to fill; a cancel ends it at once, because nothing has left.",
    _S.SUBMITTED: "Registered and sent; the venue has not answered.",
    _S.ACCEPTED: "Works at the venue.",
    _S.TRIGGERED: "A stop or take-profit whose trigger price was reached; now a market or limit order.",
    _S.PARTIALLY_FILLED: "Works at the venue with a part filled.",
    _S.PENDING_AMEND: "A change was asked for; until the last answer the order works as it was.",
    _S.PENDING_CANCEL: "Was asked back; until the answer it may still fill.",
    _S.UNKNOWN: "No answer came in time. It may be working, so it counts in full until the venue says otherwise.",
    _S.REJECTED: "Refused by the venue.",
    _S.CANCELED: "Taken back, by us or by the venue, before it was filled.",
    _S.EXPIRED: "Its time in force ended: the rest of an IOC or FOK order, or the date of a GTD order.",
    _S.FILLED: "Filled in full.",
}

_INTRODUCTION = """# The life of an order

Made from the table in `lanner.execution.lifecycle` by `python -m lanner.execution.reference`; edit that, not this page.

An order moves along one table. A step that is not in the table is an error that names both states; nothing is
repaired in silence. Backtests and live trading use the same table, so a strategy sees the same life in both.

Five rules hold everywhere:

- **Only the venue ends an order that left.** Asking for a cancel makes it `PENDING_CANCEL`, never `CANCELED`; a cancel
  that comes too late is refused, and the order goes back to where it was.
- **Silence is not an answer.** An order without one is `UNKNOWN`: open, and counted with all that is left of it.
- **A fill is believed whenever it comes**, also after the order was canceled, expired or rejected. A late fill that
  completes the order makes it `FILLED`; a smaller one leaves the state and raises the filled quantity.
- **No fill counts twice.** Fills are known by the venue's trade id; one that comes again is ignored, as is any other
  report about an order that is final.
- **An answer answers one request.** Amends and cancels of an order are numbered, and answers name the number. The order
  stays `PENDING_CANCEL` or `PENDING_AMEND` until the last of them is answered, in whatever order the answers come, and
  an answer that comes twice answers nothing else. An older state of the order never overwrites a newer one.

## States

*Open* means that the venue may still fill the order. *Final* means that nothing more is expected.

| State | Kind | Meaning | Leads to |
|---|---|---|---|
"""


def lifecycle_reference() -> str:
    """Return the page as Markdown: rules, a table of the states, and the diagram."""
    rows = "".join(_row(status) for status in LIFECYCLE.steps)
    diagram = f"\n## Diagram\n\n```mermaid\n{LIFECYCLE.mermaid()}```\n"
    return _INTRODUCTION + rows + diagram


def _row(status: OrderStatus) -> str:
    kind = "open" if status in OPEN_STATUSES else "final" if status in FINAL_STATUSES else "not sent"
    targets = ", ".join(f"`{target.name}`" for target in LIFECYCLE.steps[status]) or "–"
    return f"| `{status.name}` | {kind} | {MEANINGS[status]} | {targets} |\n"


if __name__ == "__main__":
    sys.stdout.write(lifecycle_reference())
