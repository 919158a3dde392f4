"""From what a run recorded to Arrow tables, by the schema's types."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from l2sim.money import Asset, Prices
from l2sim.results.outcomes import Outcome
from l2sim.results.recorder import NEVER, PaymentRecord, Rows
from l2sim.results.schema import PAYMENTS, Column, Kind, Table

_TYPES: dict[Kind, pa.DataType] = {
    Kind.INT64: pa.int64(),
    Kind.INT32: pa.int32(),
    Kind.WIDE: pa.decimal128(38, 0),
    Kind.FLOAT64: pa.float64(),
    Kind.TEXT: pa.dictionary(pa.int32(), pa.string()),
    Kind.BYTES32: pa.binary(32),
    Kind.BOOL: pa.bool_(),
}


def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow schema of a table; each field carries its unit and meaning."""

    def field(column: Column) -> pa.Field:
        metadata = {"unit": column.unit, "meaning": column.meaning}
        return pa.field(column.name, _TYPES[column.kind], nullable=column.nullable, metadata=metadata)

    return pa.schema([field(column) for column in table.columns], metadata={"meaning": table.meaning})


def _text(value: str, count: int) -> pa.DictionaryArray:
    """A text column that holds one value throughout."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([value]))


def payments_table(
    system: str, record: PaymentRecord, sent: Mapping[str, npt.NDArray[np.integer[Any]]], asset: Asset, prices: Prices
) -> pa.Table:
    """The payments of one system, one row each; `sent` holds the workload's payer, payee and amount_msat."""
    count = len(record)
    labels = pa.array([outcome.label for outcome in Outcome])
    columns: dict[str, Any] = {
        "system": _text(system, count),
        "payment": np.arange(count, dtype=np.int64),
        "payer": sent["payer"],
        "payee": sent["payee"],
        "amount_msat": sent["amount_msat"],
        "outcome": pa.DictionaryArray.from_arrays(pa.array(record.outcome.astype(np.int32)), labels),
        "attempts": record.attempts,
        "parts": record.parts,
        "hops": record.hops,
        "fee": record.fee,
        "fee_usd": record.fee * prices.usd_per_unit(asset),
        "submitted_ns": record.submitted_ns,
    }
    for name in ("failed_hop", "failure_code", "assured_ns", "included_ns", "l1_final_ns", "final_ns"):
        values = getattr(record, name)
        columns[name] = pa.array(values, mask=values == NEVER)
    schema = arrow_schema(PAYMENTS)
    return pa.table([pa.array(columns[name]) for name in PAYMENTS.names], schema=schema)


def rows_table(system: str, rows: Rows) -> pa.Table:
    """Any other table of one system."""
    schema = arrow_schema(rows.table)
    arrays = [_text(system, len(rows))]
    for field in list(schema)[1:]:
        values = rows.columns[field.name]
        if pa.types.is_dictionary(field.type):
            arrays.append(pa.array(values, pa.string()).dictionary_encode())
        else:
            arrays.append(pa.array(values, field.type))
    return pa.table(arrays, schema=schema)


def stack(tables: list[pa.Table]) -> pa.Table:
    """The tables of all systems, one below the other, with dictionaries made one."""
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()
