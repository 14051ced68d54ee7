#!/bin/sh
# Copies the browser build and the licence out of the pinned npm package.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent temml@0.13.5
tar xzf temml-0.13.5.tgz
cp package/dist/temml.min.js package/LICENSE "$here"
