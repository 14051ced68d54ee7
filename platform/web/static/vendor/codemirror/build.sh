#!/bin/sh
# Rebuilds codemirror.js from the pinned packages, in a folder that is thrown away.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/package.json" "$here/package-lock.json" "$here/entry.js" "$work"
cd "$work"
npm ci --no-audit --no-fund
npm run build
cp codemirror.js "$here/codemirror.js"
