"""Two series seen together: rolling correlation and beta."""

from __future__ import annotations

from collections import deque
from math import sqrt

from lanner.indicators.base import NAN, PairIndicator, check_period


class PairMoments(PairIndicator):
    """Keep variances and the covariance of a window from sums of distances to a centre, as ``Moments`` does.

    The centre moves to the newest values once per window, and at once when what is left of one of the sums is so small
    that the rounding errors of larger ones before would show.
    """

    __slots__ = (
        "_centre_x",
        "_centre_y",
        "_left",
        "_peak_x",
        "_peak_y",
        "_sum_x",
        "_sum_xx",
        "_sum_xy",
        "_sum_y",
        "_sum_yy",
        "_window",
        "covariance",
        "period",
        "variance_x",
        "variance_y",
        "warmup",
    )

    def __init__(self, name: str, period: int) -> None:
        super().__init__()
        self.period = self.warmup = check_period(name, period, 2)
        self._window: deque[tuple[float, float]] = deque(maxlen=period)
        self._left = 0
        self._centre_x = self._centre_y = self._peak_x = self._peak_y = 0.0
        self._sum_x = self._sum_y = self._sum_xx = self._sum_yy = self._sum_xy = 0.0
        self.variance_x = self.variance_y = self.covariance = NAN

    def advance(self, x: float, y: float) -> bool:
        """Take the next two values; tell whether the variances (÷ n) are known."""
        self.prev = self.value
        window = self._window
        if x - x != 0.0 or y - y != 0.0:
            window.clear()
            self._left = 0
            self.value = self.variance_x = self.variance_y = self.covariance = NAN
            return False
        if not self._left:
            window.append((x, y))
            if len(window) < self.period:
                return False
            self._recentre(x, y)
            self._measure()
        else:
            self._replace(x, y)
            if self._measure():
                self._recentre(x, y)
                self._measure()
        return True

    def _replace(self, x: float, y: float) -> None:
        """Put the new values into the sums in place of the oldest."""
        first_x, first_y = self._window[0]
        old_x, old_y = first_x - self._centre_x, first_y - self._centre_y
        new_x, new_y = x - self._centre_x, y - self._centre_y
        self._window.append((x, y))
        self._left -= 1
        self._sum_x += new_x - old_x
        self._sum_y += new_y - old_y
        self._sum_xx += new_x * new_x - old_x * old_x
        self._sum_yy += new_y * new_y - old_y * old_y
        self._sum_xy += new_x * new_y - old_x * old_y
        if self._sum_xx > self._peak_x:
            self._peak_x = self._sum_xx
        if self._sum_yy > self._peak_y:
            self._peak_y = self._sum_yy

    def _measure(self) -> bool:
        """Take the moments from the sums; tell whether too few digits of one are left."""
        n = self.period
        offset_x, offset_y = self._sum_x / n, self._sum_y / n
        spread_x, spread_y = self._sum_xx / n, self._sum_yy / n
        self.variance_x = spread_x - offset_x * offset_x
        self.variance_y = spread_y - offset_y * offset_y
        self.covariance = self._sum_xy / n - offset_x * offset_y
        return (
            self.variance_x <= 1e-9 * spread_x
            or self.variance_y <= 1e-9 * spread_y
            or self._sum_xx <= 1e-9 * self._peak_x
            or self._sum_yy <= 1e-9 * self._peak_y
        )

    def _recentre(self, x: float, y: float) -> None:
        sum_x = sum_y = sum_xx = sum_yy = sum_xy = 0.0
        for old_x, old_y in self._window:
            far_x, far_y = old_x - x, old_y - y
            sum_x += far_x
            sum_y += far_y
            sum_xx += far_x * far_x
            sum_yy += far_y * far_y
            sum_xy += far_x * far_y
        self._centre_x, self._centre_y = x, y
        self._sum_x, self._sum_y, self._sum_xy = sum_x, sum_y, sum_xy
        self._sum_xx = self._peak_x = sum_xx
        self._sum_yy = self._peak_y = sum_yy
        self._left = self.period


class Correlation(PairMoments):
    """Correlation (Pearson) of the last n pairs of values, −1 to 1; first value at input n.

    0 where one of the two does not move, as TA-Lib. Of the values as they are given: for the correlation of returns
    give it returns.
    """

    __slots__ = ()

    def __init__(self, period: int = 30) -> None:
        super().__init__("correlation", period)

    def update(self, x: float, y: float) -> None:
        """Take the next two values."""
        if self.advance(x, y):
            if self.variance_x > 0.0 and self.variance_y > 0.0:
                value = self.covariance / (sqrt(self.variance_x) * sqrt(self.variance_y))
                self.value = 1.0 if value > 1.0 else -1.0 if value < -1.0 else value
            else:
                self.value = 0.0


class Beta(PairMoments):
    """Slope of the first series on the second over the last n pairs: covariance / variance of the second.

    0 where the second does not move, as TA-Lib; first value at input n. Of the values as they are given: for the beta
    of an instrument to a market give it the returns of both.
    """

    __slots__ = ()

    def __init__(self, period: int = 30) -> None:
        super().__init__("beta", period)

    def update(self, x: float, y: float) -> None:
        """Take the next two values."""
        if self.advance(x, y):
            self.value = self.covariance / self.variance_y if self.variance_y > 0.0 else 0.0
