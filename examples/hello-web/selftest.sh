#!/bin/sh
# Run by Norn in a container of the new image, before any traffic: the server starts, is healthy and shows its version.
port=8081 # not the app's own port, so that a running copy is never tested by mistake
httpd -f -p "127.0.0.1:$port" -h /app/www -c /app/httpd.conf &
trap 'kill $!' EXIT

get() { timeout 5 wget -q -O - "http://127.0.0.1:$port$1"; }
fail() { echo "selftest: $1" >&2; exit 1; }

tries=0
until [ "$(get /health 2>/dev/null)" = ok ]; do
  tries=$((tries + 1))
  [ "$tries" -lt 50 ] || fail "/health does not answer ok within 5 s"
  sleep 0.1
done
get "/?name=%3Cb%3ENorn" | grep -qF "<h1>${GREETING:-Hello}, &lt;b&gt;Norn!</h1>" || fail "/ does not greet, or lets markup through"
get /cgi-bin/whoami | grep -qF "\"version\":\"$(cat VERSION)\"" || fail "/cgi-bin/whoami does not tell version $(cat VERSION)"
echo "selftest: healthy, greets, tells version $(cat VERSION)"
