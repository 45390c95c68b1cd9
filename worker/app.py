"""The Celery application of the workers: `celery -A worker.app:app worker --concurrency 1`."""

from celery import Celery

from store.queue import CELERY_CONFIG
from store.settings import Settings

app = Celery("saddle", broker=Settings.read().redis, include=["worker.tasks"])
app.conf.update(CELERY_CONFIG)
app.conf.worker_concurrency = 1
