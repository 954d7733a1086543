#!/bin/sh
# Makes configure and Makefile.in, in the folder this script is in.
set -e
cd "$(dirname "$0")"
missing=
for pair in autoconf:autoconf automake:automake aclocal:automake libtoolize:libtool pkg-config:pkg-config; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
if [ -n "$missing" ]; then
    echo "autogen.sh: programs are missing; install them: apt-get install$missing" >&2
    exit 1
fi
exec autoreconf --install --force "$@"
