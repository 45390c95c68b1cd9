"""`python -m tests.faults.mortal_api`: the API, which kills itself when it is told to.

If the file $SADDLE_DATA_DIR/die exists, the process dies by SIGKILL when the next job's transaction has been committed
and nothing of it has been published. It leaves the job's id in `died`.
"""

import os
import signal
from pathlib import Path

from api import main
from store.database import Outbox
from store.queue import Queue
from store.settings import Settings

DIE = "die"
DIED = "died"


def arm(folder: Path) -> None:
    """Make the next commit fatal. Call it after the settings have been read and before the queue is made."""
    deliver = Queue.deliver

    def deliver_or_die(self: Queue, outbox: Outbox) -> None:
        if outbox.hints and _takes(folder / DIE):
            (folder / DIED).write_text(outbox.hints[0])
            os.kill(os.getpid(), signal.SIGKILL)
        deliver(self, outbox)

    # The death must come between two lines of the product, which has no hook there: mypy forbids what tests must do.
    Queue.deliver = deliver_or_die  # type: ignore[method-assign]


def _takes(order: Path) -> bool:
    """Take the order to die. Of several threads one takes it; a later process finds none."""
    try:
        order.unlink()
    except FileNotFoundError:
        return False
    return True


if __name__ == "__main__":
    arm(Settings().data_dir)
    main.main()
