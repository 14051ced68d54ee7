# What student code runs in: Python, the packages a lab may import, and grader/inside. No secret, no check, no reference solution.
# Build from the project's root: docker build -f deploy/images/runner.Dockerfile -t gradlab-runner:cpu .
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
ARG PACKAGES="numpy==2.3.5"
RUN pip install --no-cache-dir --no-compile --target /gradlab/packages ${PACKAGES}
COPY grader/inside /gradlab/inside
ARG PACKAGE_NAMES="numpy"
LABEL gradlab.packages="${PACKAGE_NAMES}"
USER 65534:65534
WORKDIR /tmp
