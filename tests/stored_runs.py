"""Run folders as the training leaves them, without checkpoints."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import yaml


def store_run(
    store: Path,
    name: str = "set2",
    seed: int = 0,
    accuracy: float = 0.5,
    *,
    folder: str | None = None,
    result: dict[str, Any] | None = None,
    **settings: Any,
) -> Path:
    """A finished run of two epochs; `result` and `settings` stand over what it has by default."""
    path = store / name / (folder or f"quick-seed{seed}-{len(list(store.glob('*/*')))}")
    path.mkdir(parents=True)
    config = {"name": name, "seed": seed, "device": {"card": "lsmo_pvdf_co"}, **settings}
    (path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    rows = [
        {
            "epoch": epoch,
            "train_loss": 1 / epoch,
            "test_accuracy": accuracy,
            "test_accuracy_batch_statistics": accuracy,
        }
        for epoch in (1, 2)
    ]
    with (path / "history.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    content = {
        "status": "finished",
        "name": name,
        "schedule": "quick",
        "seed": seed,
        "activation": "relu" if name == "baseline" else "em",
        "card": "lsmo_pvdf_co",
        "card_kind": "reconstructed",
        "card_sha256": "other",
        "crossbar_weights": 0,
        "test_is_held_out": False,
        "epochs": 2,
        "test_accuracy": accuracy,
        "test_accuracy_batch_statistics": accuracy,
        "seconds_per_epoch": 3.0,
        **(result or {}),
    }
    (path / "result.json").write_text(json.dumps(content))
    return path


def files_below(folder: Path) -> dict[str, bytes]:
    """Content of every regular file below `folder`."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
