#!/bin/bash
# tests/e2e/run.sh COMMAND... - runs an end-to-end test of $RINGCAST; where io_uring is not allowed, exits 77 (skipped)
# with the server's own sentence about cause and cure.
#
# ThreadSanitizer writes its reports into files here, and a report fails the test whatever the command made of it: it
# may be of a server that was killed later, or of a tool whose stderr nobody reads.
set -u

# The server looks at io_uring before it looks at addresses: an address that no machine has (RFC 5737) makes it end
# right after.
reason=$("$RINGCAST" --shards 1 --listen 192.0.2.1:1 2>&1)
if [ $? -eq 3 ]; then
    echo "SKIPPED, NOT TESTED: $reason"
    exit 77
fi

reports=$(mktemp -d) || exit 1
trap 'rm -rf "$reports"' EXIT
export TSAN_OPTIONS="${TSAN_OPTIONS-} log_path=$reports/report"
"$@"
code=$?
for report in "$reports"/report.*; do
    [ -e "$report" ] || continue
    cat "$report"
    code=66 # ThreadSanitizer's own
done
exit "$code"
