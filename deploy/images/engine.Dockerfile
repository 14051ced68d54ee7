# The filter in front of the container engine's socket: Python and three files.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
ENV PYTHONUNBUFFERED=1
WORKDIR /srv/gradlab
COPY deploy/engine deploy/engine
EXPOSE 2375
CMD ["python3", "-m", "deploy.engine.proxy"]
