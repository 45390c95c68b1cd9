# syntax=docker/dockerfile:1
# Three images from one recipe: `api` (CPU), `worker` (CUDA) and `worker-cpu`, a worker without the gigabytes of CUDA.

FROM python:3.11.14-slim-bookworm AS python
ENV PATH=/opt/venv/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1


# The packages that pyproject.toml asks for, at the versions of the lock; its tools for tests stay outside. The source
# is not there yet, so that changing it does not install anything anew: what is installed of Saddle is the command.
FROM python AS lock
WORKDIR /build
RUN python -m venv /opt/venv && touch README.md
COPY pyproject.toml requirements.lock ./

FROM lock AS packages-cpu
RUN pip install --no-deps --index-url https://download.pytorch.org/whl/cpu "$(grep '^torch==' requirements.lock)" \
 && pip install --constraint requirements.lock ".[service,parquet]"

FROM lock AS packages-cuda
RUN pip install --constraint requirements.lock ".[service,parquet]"


FROM python AS datasets
RUN apt-get update && apt-get install --yes --no-install-recommends dataset-fashion-mnist


FROM python AS application
RUN groupadd --gid 10001 saddle \
 && useradd --uid 10001 --gid saddle --no-create-home --home-dir /tmp --shell /usr/sbin/nologin saddle \
 && install --directory --owner saddle --group saddle --mode 0700 /data
ENV HOME=/tmp \
    PYTHONPATH=/app \
    SADDLE_DATA_DIR=/data
WORKDIR /app
COPY alembic.ini ./
COPY alembic/ alembic/
COPY saddle/ saddle/
COPY models/ models/
COPY store/ store/
COPY api/ api/
COPY worker/ worker/
# The root file system is read-only where this runs.
RUN python -m compileall -q .
USER 10001:10001


FROM application AS api
COPY --from=packages-cpu /opt/venv /opt/venv
ENV SADDLE_HOST=0.0.0.0
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["python", "-m", "api.main"]


# `compile: true` needs a compiler where it trains: PyTorch writes C++ for a CPU, and a C launcher for each CUDA kernel.
FROM application AS trainer
USER root
RUN apt-get update \
 && apt-get install --yes --no-install-recommends g++ \
 && rm -rf /var/lib/apt/lists/*
USER 10001:10001


FROM trainer AS worker-cpu
COPY --from=packages-cpu /opt/venv /opt/venv
COPY --from=datasets /usr/share/datasets/fashion-mnist /usr/share/datasets/fashion-mnist
HEALTHCHECK --interval=60s --timeout=30s --start-period=60s \
    CMD celery -A worker.app:app inspect ping --destination "celery@$HOSTNAME" --timeout 10
CMD ["celery", "-A", "worker.app:app", "worker", "--concurrency", "1", "--loglevel", "INFO"]


FROM trainer AS worker
COPY --from=packages-cuda /opt/venv /opt/venv
COPY --from=datasets /usr/share/datasets/fashion-mnist /usr/share/datasets/fashion-mnist
HEALTHCHECK --interval=60s --timeout=30s --start-period=60s \
    CMD celery -A worker.app:app inspect ping --destination "celery@$HOSTNAME" --timeout 10
CMD ["celery", "-A", "worker.app:app", "worker", "--concurrency", "1", "--loglevel", "INFO"]
