"""Hyperliquid's facts: numbers, words and weights, as its documentation and recorded answers state them.

Sources: the pages *error-responses*, *rate-limits-and-user-limits*, *tick-and-lot-size*,
*nonces-and-api-wallets*, *info-endpoint*, *exchange-endpoint* and *websocket* of the venue's documentation
(state of August 2026).
"""

from __future__ import annotations

SPOT_OFFSET = 10_000
MAX_PERP_DECIMALS = 6
MAX_SPOT_DECIMALS = 8
SIGNIFICANT_FIGURES = 5
BOOK_LEVELS = 20
FAST_BOOK_LEVELS = 5
ZERO_ADDRESS = "0x" + "0" * 40
ZERO_HASH = "0x" + "0" * 64

MS = 1_000_000
SECOND = 1_000_000_000
DAY_MS = 86_400_000
HOUR_MS = 3_600_000

INTERVAL_MS = {
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": HOUR_MS,
    "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS,
    "8h": 8 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS,
    "1M": 0,  # calendar months
}

# -- limits -------------------------------------------------------------------------------------------

IP_WEIGHT_PER_MINUTE = 1_200
LIGHT_INFO = frozenset(
    {"l2Book", "allMids", "clearinghouseState", "orderStatus", "spotClearinghouseState", "exchangeStatus"}
)
LIGHT_WEIGHT = 2
INFO_WEIGHT = 20
ROLE_WEIGHT = 60
WEIGHT_PER_20_ITEMS = frozenset(
    {
        "recentTrades",
        "historicalOrders",
        "userFills",
        "userFillsByTime",
        "fundingHistory",
        "userFunding",
        "userNonFundingLedgerUpdates",
        "twapHistory",
        "userTwapSliceFills",
        "userTwapSliceFillsByTime",
        "delegatorHistory",
        "delegatorRewards",
        "validatorStats",
    }
)
CANDLES_PER_WEIGHT = 60
ACTION_BATCH_PER_WEIGHT = 40

MAX_CONNECTIONS = 10
MAX_CONNECTS_PER_MINUTE = 30
MAX_SUBSCRIPTIONS = 1_000
MAX_USERS = 10
MAX_MESSAGES_PER_MINUTE = 2_000
IDLE_NS = 60 * SECOND

ADDRESS_BUFFER = 10_000
CANCEL_EXTRA = 100_000
THROTTLED_EVERY_NS = 10 * SECOND
STALE_COST = 5

OPEN_ORDERS = 1_000
OPEN_ORDERS_CAP = 5_000
VOLUME_PER_ORDER = 5_000_000
NONCES_KEPT = 100
NONCE_PAST_MS = 2 * DAY_MS
NONCE_FUTURE_MS = DAY_MS
SCHEDULE_AHEAD_MS = 5_000
SCHEDULE_TRIGGERS_PER_DAY = 10

AGENT_DAYS = 90
AGENT_MAX_DAYS = 180
NAMED_AGENTS = 3
AGENTS_PER_SUB_ACCOUNT = 2
AGENT_NAME_LENGTH = 16

MAX_RESULTS = 2_000
PAGE_RESULTS = 500
MAX_CANDLES = 5_000
MIN_NOTIONAL_USD = 10
REFERENCE_BAND = 95
"""Percent that a limit price may be away from the reference price."""

TWAP_SLICE_NS = 30 * SECOND
TWAP_MIN_MINUTES = 5
TWAP_MAX_MINUTES = 7 * 1_440
TWAP_MIN_USD = 100
TWAP_SLIPPAGE_BPS = 300

# -- words --------------------------------------------------------------------------------------------

TICK = "Price must be divisible by tick size."
MIN_TRADE_NTL = "Order must have minimum value of $10."
MIN_TRADE_SPOT_NTL = "Order must have minimum value of 10 {quote}."
PERP_MARGIN = "Insufficient margin to place order."
REDUCE_ONLY = "Reduce only order would increase position."
BAD_ALO_PX = "Post only order would have immediately matched, bbo was {bid}@{ask}."
IOC_CANCEL = "Order could not immediately match against any resting orders."
BAD_TRIGGER_PX = "Invalid TP/SL price."
NO_LIQUIDITY = "No liquidity available for market order."
SPOT_BALANCE = "Order has insufficient spot balance to trade"
ORACLE = "Order price too far from oracle"
MAX_POSITION = "Order would cause position to exceed margin tier limit at current leverage"
MISSING_ORDER = "Order was never placed, already canceled, or filled."

INVALID_PRICE = "Order has invalid price."
INVALID_SIZE = "Order has invalid size."
ZERO_SIZE = "Order has zero size."
FAR_PRICE = f"Order price cannot be more than {REFERENCE_BAND}% away from the reference price"
EMPTY_ORDERS = "Orders are empty"
EMPTY_CANCELS = "Cancels are empty"
EMPTY_MODIFIES = "Modifies are empty"
TRIGGER_COUNT = "Unexpected number of trigger orders"
MAIN_TRIGGER = "Main order cannot be trigger order."
NOT_REDUCE_ONLY = "Trigger order is not reduce only."
TRIGGER_SIDE = "Trigger order has unexpected side."
TOO_MANY_ORDERS = "Too many open orders"
DUPLICATE_CLOID = "Duplicate cloid"
BUILDER_FEE = "Builder fee has not been approved."
HALTED = "Trading is halted."
UNKNOWN_ASSET = "Asset {asset} does not exist"

MODIFY_GONE = "Cannot modify canceled or filled order"
MODIFY_INVALID = "Attempted to modify to invalid new order"
MODIFY_PLACING = "Error placing new order during modify: {error}"

NO_SIGNER = "User or API Wallet {address} does not exist."
MUST_DEPOSIT = "Must deposit before performing actions. User: {address}"
NO_VAULT = "Vault not registered: {address}"
DUPLICATE_NONCE = "Invalid nonce: duplicate nonce {nonce}"
LOW_NONCE = "Invalid nonce: nonce {nonce} is lower than the smallest of the last 100"
NONCE_TIME = "Invalid nonce: nonce {nonce} is too far from the block time {time}"
NONCE_MISMATCH = "Action nonce does not match the request nonce"
EXPIRED = "Action already expired: {expires} < {time}"
NO_EXPIRES = "expiresAfter is not supported for user-signed actions"
TOO_MANY_REQUESTS = (
    "Too many cumulative requests sent ({used} > {cap}) for cumulative volume traded ${volume}. "
    "Place taker orders to free up 1 request per USDC traded."
)
SCHEDULE_SOON = "Scheduled cancel time too early, must be at least 5 seconds from now."
SCHEDULE_DAY = f"Too many scheduled cancels triggered for the day. Limit is {SCHEDULE_TRIGGERS_PER_DAY}"
SCHEDULE_VOLUME = (
    "Cannot set scheduled cancel time until enough volume traded. Required: ${required}. Traded: ${traded}."
)
SUB_ACCOUNT_VOLUME = (
    "Cannot create sub-accounts until enough volume traded. Required: ${required}. Traded: ${traded}."
)

LEVERAGE = "Invalid leverage value"
LEVERAGE_TYPE = "Cannot switch leverage type with open position."
LEVERAGE_CROSS = (
    "Cross position does not have sufficient margin available to decrease leverage. "
    "To decrease leverage, deposit more collateral."
)
LEVERAGE_ISOLATED = (
    "Isolated position does not have sufficient margin available to decrease leverage. "
    "To decrease leverage, add margin to the position."
)
NOT_ISOLATED = "Position does not use isolated margin."
ZERO_MARGIN = "Update to isolated margin cannot be zero."
NO_MARGIN = "Insufficient margin available."
NO_CROSS = "Cross margin is not allowed for this asset."

TRANSFER = "Insufficient balance for token transfer"
WITHDRAWAL = "Insufficient balance for withdrawal"
SUB_TRANSFER = "Invalid sub-account transfer from {source} to {target}"
AGENT_SEND = "Agent can only send asset to same user or their sub-accounts."
NO_REFERRAL = "Referral code not registered"
AGENT_USED = "Extra agent already used."
AGENT_LIMIT = "Too many extra agents for cumulative volume traded. Current limit is {limit}"
AGENT_NAME = "Extra agent name is too long."
AGENT_EXPIRED = "Agent valid_until already expired."
UNSUPPORTED = "Action is not available on this venue: {type}"

TWAP_MISSING = "TWAP was never placed, already canceled, or filled."
TWAP_DURATION = "Invalid TWAP duration: {minutes} min(s)"
TWAP_SMALL = "TWAP order value too small. Min is ${minimum}, which is ${slice} per minute."
TWAP_REDUCE_ONLY = "Reduce-only TWAP order would increase position."

BAD_JSON = "Failed to deserialize the JSON body into the target type"
BAD_FRAME = "Error parsing JSON into valid websocket request: {text}"
ALREADY_SUBSCRIBED = "Already subscribed: {subscription}"
ALREADY_UNSUBSCRIBED = "Already unsubscribed: {subscription}"
BAD_SUBSCRIPTION = "Invalid subscription {subscription}"
TOO_MANY_SUBSCRIPTIONS = "Cannot subscribe to more than 1000 channels."
TOO_MANY_USERS = "Cannot track more than 10 total users."
TOO_MANY_MESSAGES = "Too many websocket messages sent"
GREETING = "Websocket connection established."
