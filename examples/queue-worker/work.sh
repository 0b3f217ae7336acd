#!/bin/sh
# Takes one letter after the other from a queue of files, reads it, and prints one line about it.
# It is process 1 of its container: SIGTERM sets a flag, the current job is finished, then the loop ends.
queue=${QUEUE_DIR:-/tmp/queue}
stopping=
trap 'stopping=yes' TERM INT

refill() { cp letters/*.txt "$queue/waiting/" || exit 1; }

take() { # a move is atomic: whenever a worker is killed, the letter is in exactly one of the two directories
  for file in "$queue"/waiting/*.txt; do
    mv "$file" "$queue/taken/" 2>/dev/null && basename "$file" && return
  done
}

process() {
  letter=$queue/taken/$1
  words=$(wc -w <"$letter")
  longest=$(tr -cs '[:alpha:]' '\n' <"$letter" | awk 'length > length(w) { w = $0 } END { print w }')
  sum=$(sha256sum <"$letter" | cut -c1-12)
  sleep "${JOB_SECONDS:-1}" # the part of a real job that takes time
  rm "$letter"
  done=$((done + 1))
  echo "job $done: $1 has $words words, the longest is \"$longest\", sha256 $sum…"
}

mkdir -p "$queue/waiting" "$queue/taken" || exit 1
mv "$queue"/taken/*.txt "$queue/waiting/" 2>/dev/null && echo "put back the job of a killed worker"
done=0
echo "queue-worker starts in container $(hostname)"
while [ -z "$stopping" ]; do
  job=$(take)
  if [ -n "$job" ]; then process "$job"; else refill; fi
done
echo "queue-worker ends after $done jobs, none left half done"
