"""Sabotage: Python runs this at the start of each process that has this folder on its path.

A runner whose job is named in the folder `sabotage` of the data folder kills itself. The product knows nothing of it.
"""

import os
import signal
import sys
from pathlib import Path

if "worker.runner" in sys.orig_argv:
    job_id = sys.orig_argv[sys.orig_argv.index("worker.runner") + 1]
    if (Path(os.environ["SADDLE_DATA_DIR"]) / "sabotage" / job_id).exists():
        os.kill(os.getpid(), signal.SIGKILL)
