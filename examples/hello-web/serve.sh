#!/bin/sh
# Serves /app/www on port 8080 until SIGTERM. It is process 1 of its container, where a SIGTERM without a trap is ignored.
httpd -f -p 8080 -h /app/www -c /app/httpd.conf &
server=$!

stop() {
  kill "$server" # no new connections; each open answer has a process of its own and continues
  tries=0
  while pidof httpd >/dev/null && [ "$tries" -lt 50 ]; do
    sleep 0.1
    tries=$((tries + 1))
  done
  echo "hello-web $(cat VERSION) has stopped"
  exit 0
}
trap stop TERM INT

echo "hello-web $(cat VERSION) listens on port 8080"
wait "$server"
