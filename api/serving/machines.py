"""The machines that new jobs will run on."""

from api.services import Services
from models import presets
from store import workers


def hardware(services: Services) -> presets.Hardware:
    """Return gpu if a living worker has one, else cpu."""
    with services.database.read() as session:
        living = workers.living(session, within_seconds=services.settings.lease_seconds)
    return "gpu" if any(worker.device.startswith("cuda") for worker in living) else "cpu"
