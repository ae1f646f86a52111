"""What is answered when nothing else could: another function, the last good answer, a clear refusal.

A chain is tried in order; the first that returns is the answer. What a step raises is an answer only if it is
the last one.
"""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Any, NoReturn

from lamplighter.runtime.resilience.errors import RefusedError

ENTRIES_MAX = 1000
AGE_S_MAX = 3600.0

Step = Callable[..., Any]


class Cached:
    """The last good answer to the same arguments; as many and as old as said.

    Arguments that cannot be hashed are told apart by how they print. Answers are handed out as they are, not
    copied.

    Args:
        entries_max: the least recently used go first.
        age_s_max: older answers are none.
    """

    def __init__(
        self,
        entries_max: int = ENTRIES_MAX,
        age_s_max: float = AGE_S_MAX,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._entries_max = entries_max
        self._age_s_max = age_s_max
        self._clock = clock
        self._kept: OrderedDict[object, tuple[float, Any]] = OrderedDict()
        self._lock = Lock()

    def keep(self, args: tuple[Any, ...], kwargs: dict[str, Any], answer: Any) -> None:
        """Remember a good answer."""
        key = _key(args, kwargs)
        with self._lock:
            self._kept[key] = (self._clock(), answer)
            self._kept.move_to_end(key)
            if len(self._kept) > self._entries_max:
                self._kept.popitem(last=False)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the last good answer.

        Raises:
            RefusedError: there is none, or it is too old.
        """
        key = _key(args, kwargs)
        with self._lock:
            at, answer = self._kept.get(key, (float("-inf"), None))
        if self._clock() - at > self._age_s_max:
            raise RefusedError("nothing answers, and no good answer to these arguments is remembered")
        return answer


def cached(entries_max: int = ENTRIES_MAX, age_s_max: float = AGE_S_MAX) -> Cached:
    """Fall back to the last good answer to the same arguments."""
    return Cached(entries_max, age_s_max)


def refusal(message: str, retry_after_s: float = 0.0) -> Step:
    """Fall back to a clear no: RefusedError with this message."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise RefusedError(message, retry_after_s=retry_after_s)

    return refuse


def _key(args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
    key = (args, tuple(sorted(kwargs.items())))
    try:
        hash(key)
    except TypeError:
        return repr(key)
    return key
