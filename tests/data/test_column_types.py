from __future__ import annotations

import pyarrow as pa
import pytest

from diet_explorer.data.column_types import ColumnTyper, as_strings, parse_column


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "-20", "", None], "int64", [1, -20, None, None]),
        (["0", "999999999999999999"], "int64", [0, 999999999999999999]),
        (["1", "2.50", ".5", "-1e-5"], "double", [1.0, 2.5, 0.5, -1e-5]),
        (["1e300", "5e-324"], "double", [1e300, 5e-324]),
        (["True", "false", "TRUE", ""], "bool", [True, False, True, None]),
        (["007", "12"], "string", ["007", "12"]),
        (["+49", "12"], "string", ["+49", "12"]),
        (["1", "two"], "string", ["1", "two"]),
        (["1", " 2"], "string", ["1", " 2"]),
        (["9223372036854775807", "-9223372036854775808"], "int64", [2**63 - 1, -(2**63)]),
        (["9223372036854775808", "1"], "string", ["9223372036854775808", "1"]),
        (["1152921504606846977", "1.5"], "string", ["1152921504606846977", "1.5"]),
        (["123456789012345678.5"], "string", ["123456789012345678.5"]),
        (["0.1234567890123456789"], "string", ["0.1234567890123456789"]),
        (["1e-400"], "string", ["1e-400"]),
        (["0.30000000000000004", "1.000000000000000056e-01"], "double", [0.1 + 0.2, 0.1]),
        (["-0", "1"], "double", [-0.0, 1.0]),
        (["true", "1"], "string", ["true", "1"]),
        (["nan", "1"], "string", ["nan", "1"]),
        (["1e999", "1"], "string", ["1e999", "1"]),
        (["1,5"], "string", ["1,5"]),
        (["1\n"], "string", ["1\n"]),
        (["", None], "string", ["", None]),
        ([], "string", []),
    ],
)
def test_type_and_values(cells: list[str | None], kind: str, values: list[object]) -> None:
    column = pa.array(cells, pa.string())
    typer = ColumnTyper()
    typer.add(column)
    assert str(typer.type) == kind
    assert parse_column(column, typer.type).to_pylist() == values


@pytest.mark.parametrize("order", [["1", "2.5", "x"], ["x", "1", "2.5"], ["2.5", "x", "1"]])
def test_the_type_does_not_depend_on_the_order_of_batches(order: list[str]) -> None:
    typer = ColumnTyper()
    for cell in order:
        typer.add(pa.array([cell]))
    assert typer.type == pa.string()
    number = ColumnTyper()
    for cell in order:
        if cell != "x":
            number.add(pa.array([cell]))
    assert number.type == pa.float64()


def test_floats_as_names() -> None:
    column = pa.array([1.0, -0.5, float("nan"), None, 1e20, -3.0])
    assert as_strings(column, "c").to_pylist() == ["1", "-0.5", None, None, "1e+20", "-3"]
