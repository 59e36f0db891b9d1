"""Commands on their way out: orders of a group carry its name, and what was asked for at once leaves at once."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lanner.model.commands import AmendOrder, Batch, CancelOrder, Command, SubmitOrder
from lanner.model.enums import GroupKind
from lanner.model.orders import Order


def packed(commands: list[Command], orders: Mapping[str, Order], now: int) -> list[Command]:
    """Return one ``Batch`` for each venue in place of its commands; one alone stays as it is."""
    by_venue: dict[str, list[SubmitOrder | CancelOrder | AmendOrder]] = {}
    for command in commands:
        assert not isinstance(command, Batch)
        by_venue.setdefault(orders[command.order_id].instrument.venue, []).append(command)
    return [Batch(tuple(own), now) if len(own) > 1 else own[0] for own in by_venue.values()]


def grouped(command: Command, ids: set[str], group_id: str, kind: GroupKind) -> Command:
    """Return a command with the group, where it submits one of the orders."""
    if isinstance(command, SubmitOrder) and command.order_id in ids:
        return msgspec.structs.replace(command, group_id=group_id, group_kind=kind)
    if isinstance(command, Batch):
        members = tuple(grouped(one, ids, group_id, kind) for one in command.commands)
        return msgspec.structs.replace(command, commands=members)
    return command
