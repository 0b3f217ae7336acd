# Prints a line for each thing of another app that is open to queue-processor's container; the last are its own.
# The arguments are a user, a key and a stream of another app.
other=$1 key=$2 stream=$3

# The parts of a URL such as redis://user:password@host:port.
user() { u=${1#*://}; u=${u%%@*}; echo "${u%%:*}"; }
password() { u=${1#*://}; u=${u%%@*}; echo "${u#*:}"; }
host=${KV_URL##*@} port=${KV_URL##*:}
host=${host%%:*} port=${port%%/*}

# Sends a command after a login, and prints "open" if the server took it.
asked() {
  what=$1 login=$2 word=$3; shift 3
  reply=$(printf 'AUTH %s %s\r\n%s\r\nQUIT\r\n' "$login" "$word" "$*" | nc -w 5 "$host" "$port" | tr -d '\r' | sed -n 2p)
  case $reply in -*|'') ;; *) echo "open: $what" ;; esac
}

for url in "$KV_URL" "$EVENTS_URL"; do
  me=$(user "$url") mine=$(password "$url")
  for command in "GET $key" "SET $key x" "DEL $key" "XRANGE $stream - +" "XADD $stream * a b" "XLEN $stream" "TYPE $key" \
    "KEYS *" "SCAN 0" "RANDOMKEY" "DBSIZE" "ACL LIST" "ACL USERS" "CONFIG GET dir" "CLIENT LIST" "MONITOR" \
    "DEBUG OBJECT $key" "OBJECT ENCODING $key" "DUMP $key" "SORT $key" "COPY $key queue-processor:stolen" \
    "EVAL return(redis.call('get','$key')) 0" "FUNCTION LIST" "PUBSUB CHANNELS" "SUBSCRIBE $key" "REPLICAOF NO ONE"; do
    asked "$command as $me" "$me" "$mine" "$command"
  done
  for guess in "$mine" "$other" "" password; do
    asked "the user $other" "$other" "${guess:-\"\"}" "PING"
    asked "the user default" default "${guess:-\"\"}" "PING"
    asked "the user worker" worker "${guess:-\"\"}" "PING"
  done
done
asked "its own key" "$(user "$KV_URL")" "$(password "$KV_URL")" "SET ${KV_PREFIX}probe 1"
asked "its own topic" "$(user "$EVENTS_URL")" "$(password "$EVENTS_URL")" "XLEN jobs.pending"
