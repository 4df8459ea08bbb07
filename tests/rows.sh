#!/bin/bash
# tests/rows.sh [root] - who may use whom, by folder. Of server/ the rows stand in server/CMakeLists.txt, where they
# also say what is linked with what; net, net/tls and bench have theirs below. Core may be used by all. What tests
# tests/X/ may use what X may, and tests/support/; those of whole servers, tests/server/scenario/, may use all.
# In struct shard a struct says whose it is, `struct { /* connection/ */`: only that room names it, and run/.
#
# Prints `file:line: cause` for each offence and exits 1 if there is any. Needs find and any POSIX awk, no git.
set -euo pipefail
export LC_ALL=C
cd "${1:-$(dirname "$0")/..}"

mapfile -d '' files < <(
    find server net bench tests/{core,net,server,bench} -name '*.[ch]' ! -path server/shard/shard.h -print0 | sort -z)

awk '
function offence_at(file, line, cause) {
    printf "%s:%d: %s\n", file, line, cause
    offences++
}

# room(NAME USED...), which may go over several lines.
function note_row(statement,    words, n, i) {
    n = split(statement, words, /[ \n()]+/)
    has_row[words[2]] = 1
    for (i = 3; i <= n; i++)
        if (words[i] != "") may[words[2], words[i]] = 1
}

function room_of(path,    parts) {
    split(path, parts, "/")
    if (path ~ /^server\/[^\/]+\//) return parts[2]
    if (path ~ /^net\/tls\//) return "tls"
    return parts[1]
}

function check(target,    used) {
    used = room_of(target)
    if (is_test && target ~ /^tests\/support\//) return
    if (used == room || used == "core" || (room, used) in may) return
    offence_at(FILENAME, FNR, "includes " target ": " (is_test ? "tests of " : "") room " may not use " used)
}

BEGIN {
    may["bench", "net"] = 1 # net and tls: nothing but core
}

FILENAME == "server/CMakeLists.txt" {
    if (/^room\(/) statement = ""
    else if (statement == "-") next
    statement = statement $0 "\n"
    if (/\)/) {
        if (statement ~ /^room\([a-z]/) note_row(statement)
        statement = "-"
    }
    next
}

FILENAME == "server/shard/shard.h" && /^    struct \{/ {
    if (!match($0, /\/\* [a-z]+\/ \*\//)) offence_at(FILENAME, FNR, "a struct that does not say which room it is of")
    owner_of_struct = substr($0, RSTART + 3, RLENGTH - 7)
}

FILENAME == "server/shard/shard.h" && match($0, /^    \} [a-z_]+;/) {
    owner_of[substr($0, RSTART + 6, RLENGTH - 7)] = owner_of_struct
}

function check_owner(text,    name) {
    while (match(text, /shard->[a-z_]+\./)) {
        name = substr(text, RSTART + 7, RLENGTH - 8)
        if (name in owner_of && owner_of[name] != room && room != "run")
            offence_at(FILENAME, FNR, "names shard->" name ", which is of " owner_of[name] "/")
        text = substr(text, RSTART + RLENGTH)
    }
}

FNR == 1 {
    place = FILENAME
    is_test = sub(/^tests\//, "", place)
    room = room_of(place)
    is_free = place == "server/main.c" || place ~ /^bench\/pieces\// || (is_test && place ~ /^server\/scenario\//)
    if (room == "server" && !is_free) offence_at(FILENAME, 1, "stands in no room")
    if (place ~ /^server\// && !is_free && room != "server" && !(room in has_row))
        offence_at(FILENAME, 1, "its room has no row in server/CMakeLists.txt")
}

!is_free && match($0, /^[ \t]*#[ \t]*include[ \t]*"[^"]*/) {
    target = substr($0, RSTART, RLENGTH)
    sub(/^[^"]*"/, "", target)
    check(target)
}

FILENAME ~ /^server\// && !is_free { check_owner($0) }

END {
    exit offences > 0
}
' server/CMakeLists.txt server/shard/shard.h "${files[@]}" | sort -t: -k1,1 -k2,2n || exit 1
