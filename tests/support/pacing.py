"""A model of the pace of calls after a 429."""

from __future__ import annotations


class Pace:
    """The pace as decided: what holds calls back, and for how long."""

    def __init__(self) -> None:
        self.gap = 0.0
        self.free_at = 0.0
        self.burst_ends = 0.0

    def throttled(self, now: float, seconds: float) -> None:
        # Several 429 of one burst, such as those of calls that were under way, count once.
        if now >= self.burst_ends:
            self.gap = min(1.0, max(0.02, 2 * self.gap))
            self.burst_ends = now + max(0.1, seconds)
        self.free_at = max(self.free_at, now + seconds)

    def turn(self, now: float) -> float:
        if self.gap == 0.0:
            return 0.0
        at = max(now, self.free_at)
        self.free_at = at + self.gap
        return at - now

    def answered(self) -> None:
        self.gap = 0.0 if self.gap <= 0.001 else 0.95 * self.gap
