#!/bin/sh
# Bring clouds up to date, and check that they are. The arguments are those of
# livecopy and of compare. It prints nothing and ends with 0 if all is well;
# else it prints what happened, for a mail.
set -uf                         # no globs: they are for openstack
umask 077

SOURCE=${SOURCE:-master}
HOW=${HOW:-}                    # --transfers, --bandwidth and the like
HOME=${HOME:-/dev/null}
STATE=${STATE_DIRECTORY:-${XDG_STATE_HOME:-$HOME/.local/state}/replicate}
MOST=50                         # rows of a mail, and which of livecopy's
ROWS=' (failed|conflict) '
child='' stopped='' command=''

# For a mail, or the journal: no tables, and no more than somebody reads.
say() {
    echo "$1"
    echo "on $(uname -n): $command"
    grep -E "$ROWS" "$STATE/rows.txt" | head -n "$MOST"
    count=$(grep -cE "$ROWS" "$STATE/rows.txt")
    [ "$count" -le "$MOST" ] || echo "... and $((count - MOST)) more"
    cat "$STATE/last.txt"
    [ ! -e "$page" ] || echo "All of the run: $page"
    echo "What to do: Nightly job, in the documents of osc-glance-replicate"
}

no_room() {
    echo "Cannot write to $STATE; nothing was begun."
    exit 74
}

stop() {
    stopped=$1
    [ -z "$child" ] || kill "$child" 2> /dev/null
}

# In a session of its own, openstack is told once to stop, and by this script.
replicate() {
    command="openstack --os-cloud $SOURCE image replicate"
    for word; do
        case $word in *[!A-Za-z0-9_./:=@%+,-]*) word="'$word'" ;; esac
        command="$command $word"
    done
    setsid openstack --os-cloud "$SOURCE" image replicate "$@" \
        > "$STATE/rows.txt" 2> "$STATE/last.txt" 9>&- &
    child=$!
    [ -z "$stopped" ] || kill "$child"
    wait "$child"
    code=$?
    # A signal ends wait, too.
    while [ -n "$stopped" ] && kill -0 "$child" 2> /dev/null; do
        wait "$child"
    done
    child=''
    code=${stopped:-$code}
}

mkdir -p "$STATE" && touch "$STATE/lock" || no_room
page=$STATE/run-$(date +%F-%H%M%S).html
exec 9> "$STATE/lock"
if ! flock --nonblock 9; then
    echo "The run before still goes on; nothing was begun. See $STATE."
    exit 75
fi
# Pages of its own, and what is left of one that came to no end.
day='[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'
find "$STATE/" -maxdepth 1 -type f -name "run-$day-*.html*" -mtime +30 -delete
{ : > "$STATE/rows.txt" && echo 'The run has begun.' > "$STATE/last.txt"; } ||
    no_room
trap 'stop 129' HUP
trap 'stop 130' INT
trap 'stop 143' TERM

# shellcheck disable=SC2086  # several words, none of them quoted
replicate livecopy -f value $HOW --report "$page" "$@"
[ "$code" -ne 0 ] || { ROWS='' && replicate compare -f value "$@"; }
if [ "$code" -eq 0 ] && grep -q '^no image' "$STATE/last.txt"; then
    code=66
fi

case $code in
0) touch "$STATE/succeeded" || code=74 ;;
1) say 'Something failed. What the rows say is to be mended:' ;;
2) say 'The options are wrong; nothing was done:' ;;
3) say 'All was copied, and something differs all the same:' ;;
66) say 'Nothing was compared; are the options right?' ;;
129 | 130 | 143) say 'It was stopped; the next run goes on where it was:' ;;
*) say "Exit code $code:" ;;
esac
exit $code
