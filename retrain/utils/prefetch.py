"""Prefetching: threads work ahead of whoever uses the results, with bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from os import cpu_count
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

PER_WORKER = 4  # items in flight: enough to keep threads and engine busy without filling memory


def map_ahead(
    work: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with its result, in order; a thread for each core works on the next ones.

    For work that leaves the interpreter's lock alone: reading, hashing, Pillow's decoding.
    Abandoned early, it stops soon.
    """
    workers = cpu_count() or 1
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    rest = iter(items)
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in rest:
                waiting.append((item, pool.submit(work, item)))
                if len(waiting) >= PER_WORKER * workers:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()
