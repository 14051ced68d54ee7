#!/bin/sh
# What only root can give a machine: bubblewrap, the local sandbox. Installs it as root on Debian or Ubuntu, and says how otherwise.
set -eu
if command -v bwrap >/dev/null 2>&1; then
  exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing bubblewrap, the local sandbox, with apt-get ..."
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq bubblewrap >/dev/null
  exit 0
fi
echo "Student code runs behind bubblewrap, which this machine lacks and only root can install. Run one of"
echo "    sudo apt-get install bubblewrap      (Debian, Ubuntu)"
echo "    sudo dnf install bubblewrap          (Fedora, RHEL)"
echo "and then the same make command again."
exit 1
