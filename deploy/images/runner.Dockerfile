# What student code runs in: Python, the packages a lab may import, and grader/inside. No secret, no check, no reference solution.
# Build it with `make runner-image`, which also labels it with the version of grader/inside.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
ARG PACKAGES="numpy==2.3.5"
RUN pip install --no-cache-dir --target /gradlab/packages ${PACKAGES}
COPY grader/inside /gradlab/inside
ARG PACKAGE_NAMES="numpy"
# the version of grader/inside; a worker refuses an image of another one
ARG INSIDE=unknown
LABEL gradlab.packages="${PACKAGE_NAMES}" gradlab.inside="${INSIDE}"
USER 65534:65534
WORKDIR /tmp
