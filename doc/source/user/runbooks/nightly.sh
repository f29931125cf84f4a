#!/bin/sh
# Bring clouds up to date, and check that they are. It prints nothing and ends
# with 0 if all is well; else it prints what happened, for a mail.
set -u
umask 077

SOURCE=${SOURCE:-master}
TO=${TO:---to slave}            # and which images, and what replicas are
HOW=${HOW:-}                    # --transfers, --bandwidth and the like
STATE=${STATE_DIRECTORY:-$HOME/replicate}

say() {
    echo "$1"
    cat "$STATE/last.txt"
    [ ! -e "$page" ] || echo "The run is $page"
}

mkdir -p "$STATE"
page=$STATE/$(date +%F).html
exec 9> "$STATE/lock"
if ! flock --nonblock 9; then
    echo "The run before still goes on; nothing was begun. See $STATE."
    exit 75
fi
rm -f "$page"
find "$STATE" -name '*.html' -mtime +30 -delete
# Who stops it stops openstack, too; wait for what that has to say.
trap : INT TERM

# shellcheck disable=SC2086  # several words each
openstack -q --os-cloud "$SOURCE" image replicate livecopy $TO $HOW \
    --report "$page" > "$STATE/last.txt" 2>&1
code=$?
if [ $code -eq 0 ]; then
    # shellcheck disable=SC2086
    openstack -q --os-cloud "$SOURCE" image replicate compare $TO \
        > "$STATE/last.txt" 2>&1
    code=$?
fi

case $code in
0) ;;
1) say 'Something failed. What the rows say is to be mended:' ;;
2) say 'The options are wrong; nothing was done:' ;;
3) say 'All was copied, and something differs all the same:' ;;
130 | 143) say 'It was stopped; the next run goes on where it was:' ;;
*) say "Exit code $code:" ;;
esac
exit $code
