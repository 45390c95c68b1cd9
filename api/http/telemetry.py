"""Telemetry: the numbers that Prometheus scrapes."""

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy.exc import DBAPIError

from api.services import Services
from store import jobs, workers


class Telemetry:
    """Counts requests as they are answered. Jobs and workers are counted when Prometheus asks."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "saddle_http_requests_total", "Requests", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "saddle_http_request_seconds", "Seconds to the response's start", ["route"], registry=self.registry
        )
        self.registry.register(self)

    def describe(self) -> list[Any]:
        """Return nothing: the registry then asks `collect` for the names only when it is scraped."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges of jobs and workers, or only that the database is away."""
        up = GaugeMetricFamily("saddle_database_up", "1: the database answers")
        try:
            with self._services.database.read() as session:
                counts = jobs.counts(session)
                living = workers.living(session, within_seconds=self._services.settings.lease_seconds)
        except DBAPIError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        by_status = GaugeMetricFamily("saddle_jobs", "Jobs by status", labels=["status"])
        for status, number in counts.items():
            by_status.add_metric([status], number)
        yield by_status
        alive = GaugeMetricFamily("saddle_workers", "Workers that were seen lately")
        alive.add_metric([], len(living))
        yield alive
