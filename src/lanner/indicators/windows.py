"""Statistics of a moving window: extremes, sums, deviations, changes."""

from __future__ import annotations

from collections import deque
from math import sqrt

from lanner.indicators.base import NAN, Indicator, Line, check_period, check_positive


class Highest(Indicator):
    """Give the highest of the last ``period`` values, the present one included; first value at input n."""

    __slots__ = ("_index", "_queue", "period", "warmup")

    def __init__(self, period: int) -> None:
        super().__init__()
        self.period = self.warmup = check_period("highest", period)
        self._queue: deque[tuple[float, int]] = deque()
        self._index = 0

    def update(self, x: float) -> None:
        """Take the next value."""
        self.prev = self.value
        queue = self._queue
        if x - x != 0.0:
            queue.clear()
            self._index = 0
            self.value = NAN
            return
        while queue and queue[-1][0] <= x:  # a smaller value that is older can never be the highest again
            queue.pop()
        index = self._index = self._index + 1
        queue.append((x, index))
        if queue[0][1] <= index - self.period:
            queue.popleft()
        if index >= self.period:
            self.value = queue[0][0] + 0.0  # of the two zeros always the positive one


class Lowest(Indicator):
    """Give the lowest of the last ``period`` values, the present one included; first value at input n."""

    __slots__ = ("_index", "_queue", "period", "warmup")

    def __init__(self, period: int) -> None:
        super().__init__()
        self.period = self.warmup = check_period("lowest", period)
        self._queue: deque[tuple[float, int]] = deque()
        self._index = 0

    def update(self, x: float) -> None:
        """Take the next value."""
        self.prev = self.value
        queue = self._queue
        if x - x != 0.0:
            queue.clear()
            self._index = 0
            self.value = NAN
            return
        while queue and queue[-1][0] >= x:
            queue.pop()
        index = self._index = self._index + 1
        queue.append((x, index))
        if queue[0][1] <= index - self.period:
            queue.popleft()
        if index >= self.period:
            self.value = queue[0][0] + 0.0  # of the two zeros always the positive one


class Sum(Indicator):
    """Add up the last ``period`` values; first value at input n. Rounding errors are dropped once per window."""

    __slots__ = ("_left", "_window", "period", "warmup")

    def __init__(self, period: int) -> None:
        super().__init__()
        self.period = self.warmup = check_period("sum", period)
        self._window: deque[float] = deque(maxlen=period)
        self._left = 0

    def update(self, x: float) -> None:
        """Take the next value."""
        self.prev = self.value
        left = self._left
        if left:
            window = self._window
            total = self.value + (x - window[0])
            if total - total == 0.0:
                window.append(x)
                self._left = left - 1
                self.value = total
                return
        self._renew(x)

    def _renew(self, x: float) -> None:
        """Fill the window, or add it up afresh."""
        window = self._window
        if x - x != 0.0:
            window.clear()
            self._left = 0
            self.value = NAN
            return
        window.append(x)
        if len(window) == self.period:
            self._left = self.period
            total = 0.0  # the built-in sum() rounds differently from one Python version to the next
            for old in window:
                total += old
            self.value = total


class Moments(Indicator):
    """Keep mean and variance of a window from sums of distances to a centre.

    Distances to a value near the mean keep their digits where raw squares of large prices lose them. The centre
    moves to the newest value once per window, and at once when what is left of the sums is so small that the rounding
    errors of larger ones before would show.
    """

    __slots__ = (
        "_centre",
        "_left",
        "_peak",
        "_squares",
        "_sum",
        "_window",
        "mean",
        "period",
        "variance",
        "warmup",
    )

    def __init__(self, name: str, period: int, least: int = 1) -> None:
        super().__init__()
        self.period = self.warmup = check_period(name, period, least)
        self._window: deque[float] = deque(maxlen=period)
        self._left = 0
        self._centre = self._sum = self._squares = self._peak = 0.0
        self.mean = self.variance = NAN

    def advance(self, x: float) -> bool:
        """Take the next value; tell whether mean and variance (÷ n) are known."""
        self.prev = self.value
        window = self._window
        if x - x != 0.0:
            window.clear()
            self._left = 0
            self.value = self.mean = self.variance = NAN
            return False
        if not self._left:
            window.append(x)
            if len(window) < self.period:
                return False
            self._recentre(x)
        else:
            centre = self._centre
            old, new = window[0] - centre, x - centre
            window.append(x)
            self._left -= 1
            self._sum += new - old
            self._squares += new * new - old * old
            if self._squares > self._peak:
                self._peak = self._squares
        n = self.period
        offset = self._sum / n
        spread = self._squares / n
        self.variance = spread - offset * offset
        if self.variance <= 1e-9 * spread or self._squares <= 1e-9 * self._peak:
            self._recentre(x)
            offset = self._sum / n
            self.variance = self._squares / n - offset * offset
            if self.variance < 0.0:
                self.variance = 0.0
        self.mean = self._centre + offset
        return True

    def _recentre(self, centre: float) -> None:
        total = squares = 0.0
        for old in self._window:
            distance = old - centre
            total += distance
            squares += distance * distance
        self._centre = centre
        self._sum = total
        self._squares = self._peak = squares
        self._left = self.period


class StdDev(Moments):
    """Give the standard deviation of the last ``period`` values; first value at input n.

    The population's (÷ n), as TA-Lib and Bollinger; with ``sample`` the sample's (÷ n − 1), as pandas.
    """

    __slots__ = ("factor",)

    def __init__(self, period: int, sample: bool = False) -> None:
        super().__init__("stddev", period, 2 if sample else 1)
        self.factor = period / (period - 1) if sample else 1.0

    def update(self, x: float) -> None:
        """Take the next value."""
        if self.advance(x):
            self.value = sqrt(self.variance * self.factor)


class ZScore(Moments):
    """Give the distance to the mean of the last ``period`` values in population standard deviations.

    (x − mean) / σ; 0 where all values of the window are equal. First value at input n.
    """

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__("zscore", period, 2)

    def update(self, x: float) -> None:
        """Take the next value."""
        if self.advance(x):
            sigma = sqrt(self.variance)
            self.value = (x - self.mean) / sigma if sigma else 0.0


class Bollinger(Moments):
    """Bands of ``width`` population standard deviations around the simple average (Bollinger).

    Lines: ``middle`` (the indicator itself), ``upper`` and ``lower``; all have their first value at input n.
    """

    __slots__ = ("lower", "upper", "width")
    lines = ("middle", "upper", "lower")

    def __init__(self, period: int = 20, width: float = 2.0) -> None:
        super().__init__("bollinger", period)
        self.width = check_positive("bollinger", "width", width)
        self.upper = Line()
        self.lower = Line()

    @property
    def middle(self) -> Line:
        """Return the average line."""
        return self

    def update(self, x: float) -> None:
        """Take the next value."""
        upper, lower = self.upper, self.lower
        upper.prev, lower.prev = upper.value, lower.value
        if self.advance(x):
            band = self.width * sqrt(self.variance)
            self.value = mean = self.mean
            upper.value = mean + band
            lower.value = mean - band
        else:
            upper.value = lower.value = NAN


class Shift(Indicator):
    """Give the value of ``period`` steps ago; first value at input n + 1. NaN is passed on like any other value."""

    __slots__ = ("_window", "period", "warmup")

    def __init__(self, period: int = 1) -> None:
        super().__init__()
        self.period = check_period("shift", period)
        self.warmup = period + 1
        self._window: deque[float] = deque([NAN] * period, maxlen=period)

    def update(self, x: float) -> None:
        """Take the next value."""
        self.prev = self.value
        window = self._window
        self.value = window[0]
        window.append(x)


class ROC(Indicator):
    """Rate of change in per cent: (x / xₙ − 1) · 100 against the value of n steps ago; first value at input n + 1.

    0 where the old value is 0, as TA-Lib.
    """

    __slots__ = ("_window", "period", "warmup")

    def __init__(self, period: int = 12) -> None:
        super().__init__()
        self.period = check_period("roc", period)
        self.warmup = period + 1
        self._window: deque[float] = deque(maxlen=period)

    def update(self, x: float) -> None:
        """Take the next value."""
        self.prev = self.value
        window = self._window
        if x - x != 0.0:
            window.clear()
            self.value = NAN
            return
        if len(window) == self.period:
            old = window[0]
            self.value = (x / old - 1.0) * 100.0 if old else 0.0
        window.append(x)
