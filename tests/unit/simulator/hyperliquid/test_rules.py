"""The small rules of the venue: numbers, nonces, budgets, words."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.core.errors import ConfigError
from lanner.simulator.dialects.hyperliquid import make, numbers, spec, statuses
from lanner.simulator.dialects.hyperliquid.limits import (
    AddressBudget,
    Minute,
    Visitor,
    action_weight,
    answer_weight,
    info_weight,
)
from lanner.simulator.dialects.hyperliquid.nonces import NonceWindow
from lanner.simulator.dialects.hyperliquid.users import agent_name
from lanner.simulator.exchange import Exchange
from lanner.simulator.listing import markets_of
from lanner.simulator.orders import EndReason, RejectReason

NOW = 1_700_000_000_000


# -- numbers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("1", "1.0"),
        ("1.50", "1.5"),
        ("0", "0.0"),
        ("0.00001", "0.00001"),
        ("1E+3", "1000.0"),
        ("-2.0", "-2.0"),
    ],
)
def test_numbers_have_a_point_and_no_idle_zeros(value: str, shown: str) -> None:
    assert numbers.text(Decimal(value)) == shown


@pytest.mark.parametrize(
    ("atoms", "shown"),
    [(10**12, "1.0"), (1_234_567_890_123, "1.234567"), (-(10**11), "-0.1"), (-1, "0.0"), (0, "0.0")],
)
def test_money_is_cut_to_six_decimals(atoms: int, shown: str) -> None:
    assert numbers.money(atoms) == shown


@pytest.mark.parametrize(
    ("raw", "plain"),
    [("100.50", "100.5"), ("1.0", "1"), ("0.0", "0"), ("100", "100"), ("1000", "1000"), ("abc.0", "abc.0")],
)
def test_signers_strip_trailing_zeros(raw: str, plain: str) -> None:
    assert numbers.stripped(raw) == plain


@pytest.mark.parametrize("raw", ["", ".", "-1", "1e5", "nan", "1.2.3", "１", " 1", "0x1"])
def test_what_is_no_plain_number_is_not_read(raw: str) -> None:
    assert numbers.parse(raw) is None


@pytest.mark.parametrize(
    ("px", "decimals", "spot", "fault"),
    [
        ("1234.5", 0, False, ""),
        ("1234.56", 0, False, "figures"),
        ("0.001234", 0, False, ""),
        ("0.0012345", 0, False, "decimals"),
        ("0.01234", 1, False, ""),
        ("0.012345", 1, False, "decimals"),
        ("123456", 5, False, ""),
        ("12345.6", 0, False, "figures"),
        ("0.0001234", 1, True, ""),
        ("0.0001234", 2, True, "decimals"),
    ],
)
def test_documented_price_examples_hold(px: str, decimals: int, spot: bool, fault: str) -> None:
    assert numbers.price_fault(Decimal(px), decimals, spot=spot) == fault


prices = st.decimals("0.00001", "999999", places=5).filter(bool)


@given(prices, st.integers(2, 5), st.booleans())
def test_buckets_lie_on_the_far_side_and_have_the_figures(px: Decimal, figures: int, up: bool) -> None:
    bucket = numbers.significant(px, figures, 1, up=up)
    assert bucket >= px if up else bucket <= px
    assert numbers.figures_of(bucket) <= figures if bucket else True
    step = Decimal(1).scaleb(px.adjusted() - figures + 1)
    assert abs(bucket - px) < step


@given(prices, st.sampled_from([1, 2, 5]), st.booleans())
def test_a_bucket_is_its_own_bucket(px: Decimal, mantissa: int, up: bool) -> None:
    bucket = numbers.significant(px, 5, mantissa, up=up)
    if bucket.adjusted() == px.adjusted():
        assert numbers.significant(bucket, 5, mantissa, up=up) == bucket


# -- nonces ---------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(NOW - 200, NOW + 200), max_size=300))
def test_nonces_follow_the_rule_as_it_is_written(sent: list[int]) -> None:
    window = NonceWindow()
    highest: list[int] = []
    ever: set[int] = set()
    for nonce in sent:
        taken = window.use(nonce, NOW) is None
        should = nonce not in highest and (len(highest) < 100 or nonce > min(highest))
        assert taken == should
        if taken:
            assert nonce not in ever
            ever.add(nonce)
            highest = sorted([*highest, nonce])[-100:]


def test_nonces_far_from_the_block_are_refused() -> None:
    window = NonceWindow()
    assert window.use(NOW - 2 * spec.DAY_MS, NOW)
    assert window.use(NOW + spec.DAY_MS, NOW)
    assert window.use(NOW - 2 * spec.DAY_MS + 1, NOW) is None
    assert window.use(NOW + spec.DAY_MS - 1, NOW) is None


# -- budgets --------------------------------------------------------------------------------------------------


def test_weight_comes_back_after_a_minute() -> None:
    budget = Minute(100)
    assert budget.take(60, 0)
    assert not budget.take(60, 30 * spec.SECOND)
    assert budget.take(40, 30 * spec.SECOND)
    assert budget.take(60, 60 * spec.SECOND)
    assert not budget.take(1, 60 * spec.SECOND)


@pytest.mark.parametrize(
    ("kind", "weight"), [("l2Book", 2), ("orderStatus", 2), ("userRole", 60), ("meta", 20), ("userFills", 20)]
)
def test_questions_weigh_what_is_documented(kind: str, weight: int) -> None:
    assert info_weight(kind) == weight


def test_long_answers_and_batches_weigh_more() -> None:
    assert answer_weight("userFills", [0] * 2_000) == 100
    assert answer_weight("candleSnapshot", [0] * 5_000) == 83
    assert answer_weight("openOrders", [0] * 2_000) == 0
    assert [action_weight(size) for size in (0, 1, 39, 40, 79, 80)] == [1, 1, 1, 2, 2, 3]


def test_address_over_its_budget_gets_one_request_in_ten_seconds() -> None:
    budget = AddressBudget()
    assert budget.take(10_000, 0, 0, cancel=False)
    now = 100 * spec.SECOND
    assert budget.take(1, 0, now, cancel=False)
    assert not budget.take(1, 0, now + 9 * spec.SECOND, cancel=False)
    assert budget.take(1, 0, now + 10 * spec.SECOND, cancel=False)
    assert budget.take(9_000, 0, now + 11 * spec.SECOND, cancel=True)
    assert budget.take(100_000, 200_000, now + 11 * spec.SECOND, cancel=False)


def test_users_watched_are_counted_once_each() -> None:
    visitor = Visitor(1)
    assert all(visitor.watch(f"user {at}") for at in range(10))
    assert visitor.watch("user 3")
    assert not visitor.watch("user 10")
    visitor.unwatch("user 3")
    assert not visitor.watch("user 10")
    visitor.unwatch("user 3")
    assert visitor.watch("user 10")


# -- words ----------------------------------------------------------------------------------------------------

DOCUMENTED_STATUSES = {
    "open", "filled", "canceled", "triggered", "rejected", "marginCanceled", "vaultWithdrawalCanceled",
    "openInterestCapCanceled", "selfTradeCanceled", "reduceOnlyCanceled", "siblingFilledCanceled",
    "delistedCanceled", "liquidatedCanceled", "scheduledCancel", "tickRejected", "minTradeNtlRejected",
    "perpMarginRejected", "reduceOnlyRejected", "badAloPxRejected", "iocCancelRejected", "badTriggerPxRejected",
    "marketOrderNoLiquidityRejected", "positionIncreaseAtOpenInterestCapRejected",
    "positionFlipAtOpenInterestCapRejected", "tooAggressiveAtOpenInterestCapRejected",
    "openInterestIncreaseRejected", "insufficientSpotBalanceRejected", "oracleRejected", "perpMaxPositionRejected",
}  # fmt: skip


def test_only_documented_statuses_are_used() -> None:
    used = {status for _, status in statuses.REJECTS.values()} | set(statuses.ENDS.values())
    assert used <= DOCUMENTED_STATUSES
    assert len(DOCUMENTED_STATUSES) == 29


@pytest.mark.parametrize("reason", list(RejectReason))
def test_every_refusal_has_words(reason: RejectReason) -> None:
    words, status = statuses.words_of(reason)
    assert words
    assert status in DOCUMENTED_STATUSES


@pytest.mark.parametrize("reason", list(EndReason))
def test_every_end_has_a_documented_status(reason: EndReason) -> None:
    assert statuses.ENDS.get(reason, "canceled") in DOCUMENTED_STATUSES


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (None, ("", NOW + 90 * spec.DAY_MS)),
        ("desk", ("desk", NOW + 90 * spec.DAY_MS)),
        (f"desk valid_until {NOW + 5}", ("desk", NOW + 5)),
        (f"desk valid_until {NOW - 5}", spec.AGENT_EXPIRED),
        (f"desk valid_until {NOW + 181 * spec.DAY_MS}", spec.AGENT_EXPIRED),
        ("desk valid_until soon", spec.AGENT_EXPIRED),
        ("a name that is too long", spec.AGENT_NAME),
    ],
)
def test_agent_names_carry_their_date(raw: str | None, found: object) -> None:
    assert agent_name(raw, NOW) == found


# -- options --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"colour": "red"}, {"block_ms": "soon"}, {"chain": "moon"}])
def test_wrong_options_are_named(options: dict[str, str]) -> None:
    exchange = Exchange("hyperliquid", markets_of("hyperliquid"))
    with pytest.raises(ConfigError, match="hyperliquid"):
        make(exchange, options)


def test_spot_pairs_keep_the_numbers_of_their_names() -> None:
    universe = make(Exchange("hyperliquid", markets_of("hyperliquid")), {}).venue.universe
    assert [coin.name for coin in universe.perps] == ["BTC", "ETH", "SOL", "HYPE"]
    assert {coin.name: coin.asset for coin in universe.spots} == {"PURR/USDC": 10_000, "@107": 10_107}
    assert [token["index"] for token in universe.spot_meta()["tokens"]] == [0, 1, 2]
    assert universe.token_named("HYPE:0x0d01dc56dcaaca66ad901c959b4011ec") == "HYPE"
    assert universe.token_named("HYPE:0x00") is None
