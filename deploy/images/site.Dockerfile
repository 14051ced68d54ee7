# The site, the worker and the sweeper: one image, three commands. It holds the hidden checks and the reference solutions, and no secret.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
ENV PYTHONUNBUFFERED=1 PYTHONPATH=/srv/gradlab/platform:/srv/gradlab OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
# pg_dump, pg_restore and psql, for `manage.py backup` and `restore`
RUN apt-get update -qq \
  && apt-get install -y -qq --no-install-recommends postgresql-client \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /srv/gradlab
COPY requirements.lock ./
RUN pip install --no-cache-dir --root-user-action=ignore --require-hashes -r requirements.lock
COPY manage.py pyproject.toml ./
COPY docs docs
COPY mlsys_core mlsys_core
COPY labs labs
COPY grader grader
COPY platform platform
# The root is read-only when this runs, so bytecode is made here. A new volume at /data takes over the folder's owner.
RUN python3 -m compileall -q grader mlsys_core platform \
  && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin gradlab \
  && install -d -o gradlab -g gradlab /data
USER gradlab
