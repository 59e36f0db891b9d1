"""The life of a managed session, and of a backtest, as tables."""

from __future__ import annotations

from enum import StrEnum

from lanner.core.fsm import TransitionTable


class LiveStatus(StrEnum):
    """Where a session is. ``reconnecting``: it runs, but a connection to the venue is being opened again."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    RECONNECTING = "reconnecting"
    PAUSED = "paused"
    STOPPING = "stopping"
    ERROR = "error"


ACTIVE = frozenset({LiveStatus.RUNNING, LiveStatus.RECONNECTING, LiveStatus.PAUSED})
"""What trades, or would when it is resumed."""
ALIVE = ACTIVE | {LiveStatus.STARTING, LiveStatus.STOPPING}
"""What has a thread."""

LIFE = TransitionTable(
    "session",
    {
        LiveStatus.STOPPED: {LiveStatus.STARTING: "start"},
        LiveStatus.STARTING: {
            LiveStatus.RUNNING: "connected, recovered and warm",
            LiveStatus.PAUSED: "a session that was paused is continued",
            LiveStatus.STOPPING: "stop",
            LiveStatus.ERROR: "it could not be started",
        },
        LiveStatus.RUNNING: {
            LiveStatus.PAUSED: "pause",
            LiveStatus.RECONNECTING: "a connection is lost",
            LiveStatus.STOPPING: "stop, or its time is over",
            LiveStatus.ERROR: "a fault",
        },
        LiveStatus.RECONNECTING: {
            LiveStatus.RUNNING: "connected again",
            LiveStatus.PAUSED: "pause",
            LiveStatus.STOPPING: "stop",
            LiveStatus.ERROR: "a fault",
        },
        LiveStatus.PAUSED: {
            LiveStatus.RUNNING: "resume",
            LiveStatus.RECONNECTING: "resume while a connection is lost",
            LiveStatus.STOPPING: "stop",
            LiveStatus.ERROR: "a fault",
        },
        LiveStatus.STOPPING: {LiveStatus.STOPPED: "everything is closed", LiveStatus.ERROR: "a fault"},
        LiveStatus.ERROR: {LiveStatus.STARTING: "start", LiveStatus.STOPPED: "stop"},
    },
    final=frozenset({LiveStatus.STOPPED}),
)


class BacktestStatus(StrEnum):
    """Where a backtest is."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


BACKTEST_LIFE = TransitionTable(
    "backtest",
    {
        BacktestStatus.QUEUED: {
            BacktestStatus.RUNNING: "a place is free",
            BacktestStatus.CANCELLED: "cancel",
        },
        BacktestStatus.RUNNING: {
            BacktestStatus.COMPLETED: "the result is kept",
            BacktestStatus.CANCELLED: "cancel",
            BacktestStatus.FAILED: "an error",
        },
    },
    final=frozenset({BacktestStatus.COMPLETED, BacktestStatus.CANCELLED, BacktestStatus.FAILED}),
)
