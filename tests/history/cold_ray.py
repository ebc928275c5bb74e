"""Counts and sums cold files by Ray, in a process of its own: `cold_ray.py GLOB_FOLDER TEMPORARY`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import ray


@ray.remote
def figures(file: str) -> dict[int, tuple[int, float]]:
    """Return number and sum of the good values of each tag in a file."""
    table = pq.read_table(file, partitioning=None, columns=["tag", "value", "quality"])
    table = table.filter(pc.field("quality") >= 192).filter(~pc.field("value").is_nan())
    tags, values = table["tag"].to_numpy(), table["value"].to_numpy()
    return {int(tag): (int((tags == tag).sum()), float(values[tags == tag].sum())) for tag in np.unique(tags)}


if __name__ == "__main__":
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 2**20,
             _node_ip_address="127.0.0.1", _temp_dir=sys.argv[2])  # fmt: skip
    found: dict[int, tuple[int, float]] = {}
    named = [str(file) for file in sorted(Path(sys.argv[1]).glob("*/kind=float64/*/*.parquet"))]
    for part in ray.get([figures.remote(file) for file in named]):
        for tag, (count, total) in part.items():
            before = found.get(tag, (0, 0.0))
            found[tag] = (before[0] + count, before[1] + total)
    ray.shutdown()
    print(json.dumps(found))
