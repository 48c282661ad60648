"""Benchmarks return rows that can be compared; how fast anything is stays out of the tests."""

from __future__ import annotations

from experiments.benchmarks import activation


def test_rows_of_the_activation():
    rows = activation.time_activation((2, 3), rounds=3, warm_up=1, exact=True)
    assert [row["name"] for row in rows][:3] == ["relu", "table, 2 curves", "table, 16 curves"]
    assert rows[-1]["name"] == "exact, 16 curves"
    for row in rows:
        assert row["n"] == 3
        assert row["median_s"] > 0
        assert row["spread_s"] >= 0
        assert row["bytes_moved"] == 5 * 4 * 6
    assert rows[0]["ratio"] == 1


def test_rows_of_the_training_step():
    rows = activation.time_training_step(batch=2, rounds=2, warm_up=0)
    assert [row["name"] for row in rows] == ["relu", "set1", "set2"]
