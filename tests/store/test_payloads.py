"""The payloads of events, as they are stored."""

import pytest

from store import payloads


@pytest.mark.parametrize(
    ("payload", "stored"),
    [
        (
            payloads.StateChange("failed", "running", payloads.Reason("crashed", "signal 9"), 2),
            {
                "status": "failed",
                "previous": "running",
                "reason": {"code": "crashed", "message": "signal 9"},
                "attempt": 2,
            },
        ),
        (
            payloads.StateChange("queued", None, None, 0),
            {"status": "queued", "previous": None, "reason": None, "attempt": 0},
        ),
        (
            payloads.CheckpointSaved("ckpt_1", 7, {"fid": 1.5}),
            {"id": "ckpt_1", "size_bytes": 7, "quality": {"fid": 1.5}},
        ),
        (
            payloads.GuardRepair("non_finite", "roll_back", {"back_to_images": 640.0}),
            {"detector": "non_finite", "remedy": "roll_back", "details": {"back_to_images": 640.0}},
        ),
        (payloads.Message("compiled in 9 s"), {"message": "compiled in 9 s"}),
        ({"fid": 3.0}, {"fid": 3.0}),
    ],
)
def test_a_payload_is_stored_as_viewers_read_it(payload, stored):
    assert payloads.encode(payload) == stored
