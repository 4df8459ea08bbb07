#!/bin/bash
# tests/fuzz/run.sh FUZZER ARGUMENT... - lets a libFuzzer program search for ten seconds; with RINGCAST_LONG=1 in the
# environment for five minutes.
set -eu

fuzzer=$1
shift
search=(-runs=400000 -max_total_time=10)
[ "${RINGCAST_LONG-}" != 1 ] || search=(-max_total_time=300)
exec "$fuzzer" "${search[@]}" "$@"
