"""Readings as Arrow, and from there as pandas or polars frames without a Python object for each value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa

from mainspring.core.kinds import Column

if TYPE_CHECKING:
    import pandas
    import polars

TIME = pa.timestamp("ms", tz="UTC")


@dataclass(frozen=True, slots=True)
class Readings:
    """A table with one row for each sample or step: `tag` (path), `time` (UTC), and what was asked for."""

    arrow: pa.Table
    units: Mapping[str, str]
    """The unit of each tag, by its path, as UCUM code."""

    def __len__(self) -> int:
        return self.arrow.num_rows

    def pandas(self, wide: str | None = None) -> pandas.DataFrame:
        """Return a pandas frame; `wide` names a column that is spread: one column for each tag, indexed by time."""
        frame: pandas.DataFrame = self.arrow.to_pandas()
        if wide is None:
            return frame
        spread = frame.pivot_table(index="time", columns="tag", values=wide, aggfunc="last", observed=True)
        return spread.rename_axis(columns=None)

    def polars(self, wide: str | None = None) -> polars.DataFrame:
        """Return a polars frame; `wide` as for pandas, with `time` as the first column."""
        import polars

        frame = cast("polars.DataFrame", polars.from_arrow(self.arrow))
        if wide is None:
            return frame
        return frame.pivot(on="tag", index="time", values=wide, aggregate_function="last").sort("time")


def named(table: pa.Table, paths: Mapping[int, str]) -> pa.Table:
    """Replace ordinals by paths (as a dictionary column) and milliseconds by timestamps."""
    ordinals = list(paths)
    places = np.zeros(max(ordinals, default=0) + 1, np.int32)
    places[ordinals] = np.arange(len(ordinals), dtype=np.int32)
    indices = pa.array(places[table.column("tag").to_numpy()], pa.int32())
    tag = pa.DictionaryArray.from_arrays(indices, pa.array(paths.values(), pa.string()))
    columns: dict[str, Any] = {"tag": tag}
    for name in table.column_names:
        if name != "tag":
            column = table.column(name)
            columns[name] = column.cast(TIME) if name == "time" else column
    return pa.table(columns)


def of_all_kinds(parts: Mapping[Column, pa.Table]) -> pa.Table:
    """Put samples of several column types into one table, oldest first: value, integer (exact) and text."""
    tables = []
    for column, table in parts.items():
        found = table.column("value")
        texts, whole = column is Column.TEXT, column is Column.INT64
        blank = pa.nulls(len(table), pa.float64())
        place = table.column_names.index("value")
        numbers = blank if texts else found.cast(pa.float64(), safe=False)
        tables.append(
            table.set_column(place, "value", numbers)
            .add_column(place + 1, "integer", found if whole else blank.cast(pa.int64()))
            .add_column(place + 2, "text", found.cast(pa.string()) if texts else blank.cast(pa.string()))
        )
    return joined(tables).sort_by("time")


def joined(parts: Sequence[pa.Table]) -> pa.Table:
    """Put tables of the same columns one below the other, with one dictionary of tags."""
    return parts[0] if len(parts) == 1 else pa.concat_tables(parts).unify_dictionaries()
