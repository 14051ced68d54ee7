#!/bin/sh
# Becomes nginx: HTTPS where a certificate is mounted, plain HTTP where there is none.
set -eu
tls=/etc/gradlab/tls
mode=http
if [ -e "$tls/fullchain.pem" ] || [ -e "$tls/privkey.pem" ]; then mode=https; fi
echo "Serving by $mode."
exec nginx -e /dev/stderr -c "/etc/gradlab/$mode.conf"
