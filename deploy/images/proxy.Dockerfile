# nginx in front of the site. Debian's own package on the base that the other images stand on, so that there is one base to keep current.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
RUN apt-get update -qq \
  && apt-get install -y -qq --no-install-recommends nginx-light \
  && rm -rf /var/lib/apt/lists/*
COPY deploy/proxy /etc/gradlab
EXPOSE 8080 8443
STOPSIGNAL SIGQUIT
CMD ["sh", "/etc/gradlab/start.sh"]
