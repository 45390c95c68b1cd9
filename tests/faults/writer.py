"""`python -m tests.faults.writer DATABASE_URL JOB_ID COUNT`: appends COUNT events to a job, each a unit of work.

It begins when its standard input is closed, so that several begin together, and prints its results as JSON.
"""

import json
import sys
import time

from sqlalchemy.exc import DBAPIError

from store import events
from store.database import Database


def write(database: Database, *, job_id: str, count: int) -> dict[str, object]:
    errors: list[str] = []
    slowest_seconds = 0.0
    for number in range(count):
        began = time.monotonic()
        try:
            with database.write() as session:
                events.append(session, job_id=job_id, kind="log", data={"number": number})
        except DBAPIError as error:
            errors.append(str(error.orig))
        slowest_seconds = max(slowest_seconds, time.monotonic() - began)
    return {"errors": errors, "slowest_seconds": slowest_seconds}


if __name__ == "__main__":
    database = Database(sys.argv[1], deliver=lambda outbox: None)
    sys.stdin.read()
    print(json.dumps(write(database, job_id=sys.argv[2], count=int(sys.argv[3]))))
    database.close()
