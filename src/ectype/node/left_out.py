"""Behaviours that the estimator's process does without, because it died of them or hung in them."""

from typing import final

from ectype.node.signs_of_life import Sign

_DEATHS = 2
_AGAIN = "change it, or start the node again, to have it tried"


@final
class LeftOut:
    """why: a sentence for each behaviour that is left out, by where it came from."""

    def __init__(self) -> None:
        self.why: dict[str, str] = {}
        self._deaths: dict[str, tuple[int, int]] = {}

    def died(self, sign: Sign | None, through: int) -> None:
        """The process died on its way to log index `through` (0: before it was ready).

        Anything may end a process once. Who is at work when it ends again before it came past that index is left out.
        """
        if sign is None or not sign.where:
            return
        count = 1 + self._deaths.get(sign.where, (0, 0))[0]
        self._deaths[sign.where] = count, through
        if count >= _DEATHS:
            self.why[sign.where] = f"it ended the estimator's process again and again; {_AGAIN}"

    def hung(self, sign: Sign | None, silence: str) -> None:
        """The process was ended because it did that: who was at work is left out at once, as all others waited."""
        if sign is not None and sign.where:
            place = f"{sign.place}: " if sign.place else ""
            self.why[sign.where] = f"{place}in it the estimator's process {silence} and was ended; {_AGAIN}"

    def passed(self, through: int) -> None:
        """All up to that log index was estimated."""
        self._deaths = {where: death for where, death in self._deaths.items() if death[1] >= through}

    def changed(self) -> None:
        """Somebody has changed a behaviour: try all of them again."""
        self.why.clear()
        self._deaths.clear()
