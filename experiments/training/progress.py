"""What a person sees while a network trains: a bar on a terminal, a line per epoch elsewhere."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from experiments.training.loop import Stopwatch


class TrainingProgress:
    """Progress over all images of all epochs, with loss, accuracy, images/s and time left."""

    def __init__(self, label: str, epochs: int, images: int, done_epochs: int):
        self.label, self.epochs, self.images = label, epochs, images
        self._console = Console()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(compact=True),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(label, total=epochs * images, state="")
        self._done = done_epochs * images
        self._bar.update(self._task, completed=self._done)
        self._watch, self._seen, self._rate = Stopwatch(), 0, 0.0

    def __enter__(self) -> TrainingProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def batch(self, seen: int, loss: float, accuracy: float) -> None:
        """Report from within an epoch."""
        seconds = self._watch.lap()
        if seen > self._seen and seconds > 0:
            self._rate = (seen - self._seen) / seconds
        self._seen = seen
        state = f"loss {loss:.3f}  acc {accuracy:.1%}  {self._rate:,.0f} img/s"
        self._bar.update(self._task, completed=self._done + seen, state=state)

    def epoch(self, row: dict[str, float]) -> None:
        """Report a finished epoch; this line stays on the screen."""
        self._done += self.images
        self._seen = 0
        self._watch.lap()
        self._console.print(
            f"{self.label}  epoch {row['epoch']:.0f}/{self.epochs}  loss {row['train_loss']:.4f}  "
            f"test accuracy {row['test_accuracy']:.2%} "
            f"(batch statistics {row['test_accuracy_batch_statistics']:.2%})  "
            f"{row['seconds']:.1f} s",
            highlight=False,
            soft_wrap=True,
        )
