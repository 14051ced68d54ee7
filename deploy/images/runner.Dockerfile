# What student code runs in: Python, the packages a lab may import, and grader/inside. No secret, no check, no reference solution.
# Build it with `make runner-image`. A worker refuses an image whose grader/inside is of another version than its own.
# The variant for GPU labs differs in arguments alone; docker-compose.yml names them.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
# Debian packages: triton compiles its launchers, so GPU labs need gcc and libc6-dev
ARG SYSTEM_PACKAGES=""
RUN if [ -n "${SYSTEM_PACKAGES}" ]; then \
    apt-get update -qq && apt-get install -y -qq --no-install-recommends ${SYSTEM_PACKAGES} && rm -rf /var/lib/apt/lists/*; fi
# A run's PATH holds Debian's folders alone; where the base keeps its Python elsewhere, it is found there too.
RUN test -x /usr/bin/python3 || ln -s "$(command -v python3)" /usr/bin/python3
# pypdfium2 is for the PDFs that students hand in; no lab lists it, so no lab finds it
ARG PACKAGES="numpy==2.3.5 pypdfium2==5.15.2"
RUN pip install --no-cache-dir --target /gradlab/packages ${PACKAGES}
COPY grader/inside /gradlab/inside
ARG PACKAGE_NAMES="numpy pypdfium2"
LABEL gradlab.packages="${PACKAGE_NAMES}"
USER 65534:65534
WORKDIR /tmp
