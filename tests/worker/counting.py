"""A kind of job for the tests: it counts images. It has no code for leases, cancels, pauses, crashes or events."""

from store import payloads, states
from worker.attempt import Attempt

KIND = "counting"


def run(attempt: Attempt) -> None:
    begun, total = attempt.job.images_seen, attempt.job.images_total or 0
    attempt.log(f"counts from {begun}", images_seen=begun)
    for images in range(begun + 1, total + 1):
        attempt.raise_if_stopped()
        attempt.tick(images_seen=images, seconds_trained=0.0, values={"count": float(images)})
    attempt.put(attempt.key("results/count"), lambda folder: (folder / "count").write_text(str(total)))
    attempt.finish(states.SUCCEEDED, payloads.Reason("completed", f"{total} images are counted"))
