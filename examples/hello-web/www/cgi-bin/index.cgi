#!/bin/sh
# The page at /: a greeting, for ?name=… by name.
name=world
case $QUERY_STRING in name=?*) name=$(httpd -d "${QUERY_STRING#name=}") ;; esac
name=$(printf %s "$name" | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g')
cat <<PAGE
Content-Type: text/html; charset=utf-8
Cache-Control: no-store

<!doctype html>
<title>hello-web</title>
<h1>${GREETING:-Hello}, $name!</h1>
<p>This is hello-web, version $(cat /app/VERSION).</p>
<p>Container $(hostname) answered at $(date -u '+%Y-%m-%d %H:%M:%S') UTC.</p>
PAGE
