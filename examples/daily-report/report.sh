#!/bin/sh
# Prints the sales of the day before the scheduled moment. Norn passes that moment as NORN_SCHEDULED_AT (UTC),
# so a late run, even one that is caught up tomorrow, reports on the right day.
if [ -n "$NORN_SCHEDULED_AT" ]; then
  due=$(printf %.19s "$NORN_SCHEDULED_AT" | tr T ' ')
else
  due=$(date -u '+%Y-%m-%d %H:%M:%S')
  echo "note: NORN_SCHEDULED_AT is not set, so this run counts from now" >&2
fi
seconds=$(date -u -d "$due" +%s) || {
  echo "daily-report: NORN_SCHEDULED_AT is '$NORN_SCHEDULED_AT'; expected a time like 2026-11-23T08:00:00Z" >&2
  exit 1
}
before=$((seconds - 86400))
exec awk -f report.awk \
  -v title="${REPORT_TITLE:-Sales}" -v date="$(date -u -d "@$before" +%Y-%m-%d)" -v day="$(date -u -d "@$before" +%A)" \
  sales.csv
