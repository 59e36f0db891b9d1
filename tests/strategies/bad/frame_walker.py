"""Caught by look-ahead: walks up the call stack to the bars that wait to be played."""

import sys

import lanner as ln


class Walker(ln.Strategy):
    def on_bar(self, bar):
        later = self.next_bar(bar)
        if later is not None:
            self.target(0.9 if later.close > bar.close else 0)

    def next_bar(self, bar):
        frame = sys._getframe()
        while frame is not None:
            for value in list(frame.f_locals.values()):
                if isinstance(value, list) and len(value) > 3 and isinstance(value[-1], ln.Bar):
                    return next((item for item in value if item.ts_event > bar.ts_event), None)
            frame = frame.f_back
        return None
