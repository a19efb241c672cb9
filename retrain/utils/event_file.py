"""TensorBoard's event files, written with its own record writer, without TensorFlow."""

import socket
import time
from pathlib import Path
from types import TracebackType

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from retrain.utils.new_folders import make_folder


class EventFile:
    """A new event file in `folder`, which thereby becomes one of TensorBoard's runs.

    All that touches the disk raises OSError.
    """

    def __init__(self, folder: Path) -> None:
        """Create the file, and the folder if it is missing."""
        make_folder(folder)
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}"
        self._file = open(folder / name, "xb")
        self._records = RecordWriter(self._file)
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def __enter__(self) -> "EventFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, event: Event) -> None:
        self._records.write(event.SerializeToString())

    def add(self, step: int, values: list[Summary.Value]) -> None:
        """Write the values of a step."""
        self._write(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def close(self) -> None:
        """Write the rest and close the file."""
        self._records.close()
