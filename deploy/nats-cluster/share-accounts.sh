#!/bin/sh
# Gives the servers of the bus the file of who may connect, and has them read it.
#   share-accounts.sh DATA_FOLDER HOST...        files lie in /etc/nats there, or in $FOLDER
set -eu
folder=${FOLDER:-/etc/nats}
accounts=$1/bus/accounts.conf
shift
for host in "$@"; do
  scp -q "$accounts" "$host:$folder/accounts.conf.new"
  # Twice: what an account imports that was not there before works from the second time on.
  ssh "$host" "mv $folder/accounts.conf.new $folder/accounts.conf &&
    if pgrep -x nats-server >/dev/null; then pkill -HUP -x nats-server; sleep 1; pkill -HUP -x nats-server; fi"
  echo "$host has it"
done
