"""Which samples are in the history already, by their tag and time: what an import brings twice is stored once."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from mainspring.core.samples import SampleBatch
from mainspring.history import sql
from mainspring.history.engine import Engine

TAGS_NAMED_MAX: Final = 1000
"""More tags than this are asked for by the range of their ordinals."""
STORED, THERE, OLD = range(3)
"""What becomes of a sample that is placed: it is stored, was there already, or would be dropped for its age."""
_TIME_BITS: Final = 43
_GENTLY: Final = "settings max_threads = 1, max_execution_time = 0"

Keys = npt.NDArray[np.int64]


class Order:
    """The samples of a batch in order of tag and time, each tag and time once, the first of those that are alike."""

    def __init__(self, batch: SampleBatch) -> None:
        self.tags, place = np.unique(batch.tag, return_inverse=True)
        keys = (place.astype(np.int64) << _TIME_BITS) | batch.time
        if (keys[1:] > keys[:-1]).all():
            self.keys, self.rows = keys, np.arange(len(keys))
        else:
            self.keys, self.rows = np.unique(keys, return_index=True)

    def places(self, tag: npt.NDArray[np.uint32], time: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the places in this order of those of some samples that stand in it."""
        at = np.minimum(np.searchsorted(self.tags, tag), len(self.tags) - 1)
        keys = ((at.astype(np.int64) << _TIME_BITS) | time)[self.tags[at] == tag]
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        found: npt.NDArray[np.int64] = places[self.keys[places] == keys]
        return found


def there(
    engine: Engine, readings: sql.Readings, tenant: int, order: Order, batch: SampleBatch
) -> npt.NDArray[np.bool_]:
    """Tell for each sample in order whether its tag and time are among some readings, read piece by piece."""
    found = np.zeros(len(order.keys), dtype=np.bool_)
    least, most = int(batch.time.min()), int(batch.time.max())
    tags = order.tags.tolist()
    own = (
        sql.of_tags(tenant, tags)
        if len(tags) <= TAGS_NAMED_MAX
        else f"tenant = {tenant} and tag >= {tags[0]} and tag <= {tags[-1]}"
    )
    condition = f"{own} and time >= {least} and time <= {most}"
    for part in engine.chunks(f"select tag, time from {readings(batch.column, condition)} {_GENTLY}"):
        found[order.places(part["tag"].to_numpy(), part["time"].to_numpy())] = True
    return found
