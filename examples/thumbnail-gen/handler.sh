#!/bin/sh
# One request: the body arrives on stdin, the answer goes to stdout, errors go to stderr with exit code 1.
case ${NORN_REQUEST_METHOD:-POST} in
  GET | HEAD) exec cat usage.txt ;;
esac
# awk reads no binary, so it gets the bytes as decimal numbers.
od -An -v -tu1 | awk -f thumbnail.awk
