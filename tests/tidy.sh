#!/bin/bash
# tests/tidy.sh [root] - what no compiler checks: who includes whom, sizes, leftovers, table rows nobody uses, comments
# that go on with the one before.
#
# Prints `file:line: cause` for each offence and exits 1 if there is any. Needs find and any POSIX awk, no git.
# Which room may use which is the business of rows.sh, which runs too.
set -euo pipefail
export LC_ALL=C
rows=$(realpath "$(dirname "$0")/rows.sh")
cd "${1:-$(dirname "$0")/..}"

# Rows of .def tables that may stand unused: the constant, then why. A row without reason, or no longer needed, is an
# offence itself.
exceptions='
'

found=0
while IFS= read -r -d '' file; do
    echo "$file:1: file is empty"
    found=1
done < <(find core net server bench tests -name '*.[ch]' -empty -print0 2>/dev/null)

mapfile -d '' files < <(find . \( -name '.?*' -o -name build -o -name node_modules \) -prune -o -type f \
    \( -name '*.[ch]' -o -name '*.def' -o -name '*.sh' -o -name '*.py' -o -name '*.js' -o -name '*.mjs' \
    -o -name '*.css' -o -name '*.html' -o -name CMakeLists.txt \
    -o -path './deploy/*' ! -name '*.md' ! -name '*.json' \) \
    -printf '%P\0' | sort -z)
if [ "${#files[@]}" -eq 0 ]; then
    echo "tidy: no files in $PWD" >&2
    exit 1
fi

awk -v exceptions="$exceptions" '
function offence_at(file, line, cause) {
    printf "%s:%d: %s\n", file, line, cause
    offences++
}

function offence(cause) {
    offence_at(FILENAME, FNR, cause)
}

# Only these files may include what matches. The rules hold for core, net and server; tests and bench are free.
function only(pattern, files, words) {
    if (target ~ pattern && FILENAME !~ files) offence("includes " target ": only " words " may")
}

function check_include() {
    if (target ~ /\.c$/ && folder != "tests") offence("includes a .c file")
    if (folder !~ /^(core|net|server)$/) return
    if (is_quoted && folder == "core" && target !~ /^core\//) offence("core may not include " target)
    if (is_quoted && folder == "net" && target !~ /^(net|core)\//) offence("net may not include " target)
    only("^liburing(\\.h$|/)", "^net/(ring|ring_peer|receive_buffers)\\.", "net/ring* and net/receive_buffers*")
    only("^ck_ring\\.h$", "^core/mailbox\\.", "core/mailbox.*")
    only("^(mbedtls|psa)/", "^net/", "net/")
    only("^mbedtls/(ssl|x509|pk)[^/]*\\.h$", "^net/tls/", "net/tls/")
    only("^(nettle/|gmp\\.h$)", "^net/tls/", "net/tls/")
    only("^net/tls/(aead|gmp_(memory|number)\\.)", "^net/tls/", "net/tls/")
    only("^net/tls/tls_(certificate|curve|error|fault|file|hash|hide|keys|record|session|shake|shared|sign|tickets)\\.",
        "^net/tls/", "net/tls/")
    only("^hiredis/", "^server/cluster/", "server/cluster/")
    only("^llhttp\\.h$", "^net/http\\.", "net/http.*")
    only("^sqlite3[^/]*\\.h$", "^server/store/", "server/store/")
    only("^yyjson\\.h$", "^net/json\\.h$", "net/json.h")
    only("^(pthread|threads)\\.h$", "^(net|server)/|^core/owner\\.h$", "core/owner.h in core")
}

function note_include() {
    if (FILENAME ~ /\.h$/ && is_quoted) {
        edges[FILENAME]++
        edge_to[FILENAME, edges[FILENAME]] = target
        edge_line[FILENAME, edges[FILENAME]] = FNR
    }
}

# The line without strings, character constants and comments.
function code_of(line,    code, at) {
    code = ""
    while (line != "") {
        if (in_comment) {
            if (!(at = index(line, "*/"))) return code
            line = substr(line, at + 2)
            in_comment = 0
        }
        if (!match(line, /"([^"\\]|\\.)*"|\047([^\047\\]|\\.)+\047|\/\*|\/\//)) return code line
        code = code substr(line, 1, RSTART - 1) " "
        if (substr(line, RSTART, 2) == "//") return code
        in_comment = substr(line, RSTART, 2) == "/*"
        line = substr(line, RSTART + RLENGTH)
    }
    return code
}

# Remembers words as `word`, members also as `.word`.
function note_words(code,    word) {
    while (match(code, /(\.|->)?[ ]*[A-Za-z_][A-Za-z0-9_]*/)) {
        word = substr(code, RSTART, RLENGTH)
        code = substr(code, RSTART + RLENGTH)
        if (sub(/^(\.|->)[ ]*/, "", word)) used["." word] = 1
        sub(/^ */, "", word)
        used[word] = 1
    }
}

# A row MACRO(NAME, ...) makes the constant MACRO_NAME, except as said here.
function note_row(line,    macro, fields, constant) {
    macro = line
    sub(/\(.*/, "", macro)
    sub(/^[^(]*\([ ]*/, "", line)
    if (line ~ /^"/) return # a heading
    if (macro == "CONTROL_PATH" || macro ~ /^COMMAND/) return # names a function that has to be there
    split(line, fields, /[ ]*[,)][ ]*/)
    if (macro == "OPTION" || macro ~ /_SETTING$/) constant = "." fields[2]
    else if (macro == "LOG_FIELD") constant = macro "_" fields[2]
    else if (macro == "CLOSE_REASON") constant = "CLOSE_" fields[1]
    else if (macro == "METRIC") constant = "tell_" fields[1]
    else if (macro == "SOKETI") constant = "COUNTER_" fields[1]
    else constant = macro "_" fields[1]
    if (macro == "OPTION") used["SECTION_" fields[3]] = 1
    row_file[constant] = FILENAME
    row_line[constant] = FNR
}

function check_rows(    lines, n, i, constant, why) {
    n = split(exceptions, lines, "\n")
    for (i = 1; i <= n; i++) {
        if (lines[i] == "") continue
        constant = why = lines[i]
        sub(/ .*/, "", constant)
        sub(/^[^ ]* */, "", why)
        excused[constant] = 1
        if (why == "") offence_at("tests/tidy.sh", 1, "exception " constant " gives no reason")
        if (!(constant in row_file) || constant in used)
            offence_at("tests/tidy.sh", 1, "exception " constant " is not needed")
    }
    for (constant in row_file)
        if (!(constant in used) && !(constant in excused))
            offence_at(row_file[constant], row_line[constant], constant " is used nowhere")
}

# Depth first; a header met again while still open closes a cycle.
function visit(header,    i, next_header) {
    state[header] = "open"
    for (i = 1; i <= edges[header]; i++) {
        next_header = edge_to[header, i]
        if (state[next_header] == "open")
            offence_at(header, edge_line[header, i], "includes " next_header ", which leads back here: a cycle")
        else if (state[next_header] == "" && next_header in edges) visit(next_header)
    }
    state[header] = "done"
}

function check_cycles(    header, headers, n, i) {
    for (header in edges) headers[++n] = header # visit() must not change what the loop walks over
    for (i = 1; i <= n; i++)
        if (state[headers[i]] == "") visit(headers[i])
}

BEGIN {
    for (i = 1; i < ARGC; i++) known[ARGV[i]] = 1
}

FNR == 1 {
    folder = FILENAME
    is_first = body = 0
    sub(/\/.*/, "", folder)
    is_c = FILENAME ~ /\.[ch]$/
    in_comment = 0
    if (is_c && index($0, "/* " FILENAME " ") != 1) offence("does not open with a comment that names its path")
}

# A source with a header of its own includes it first.
folder != "tests" && FILENAME ~ /\.c$/ && FNR == 1 {
    own = FILENAME
    sub(/c$/, "h", own)
    is_first = own in known
}

is_first && /^#[ ]*include/ {
    if (index($0, "\"" own "\"") == 0) offence("does not include " own " first")
    is_first = 0
}

folder != "tests" && is_c && /^\{/ { body = FNR }

folder != "tests" && is_c && /^\}/ && body > 0 {
    if (FNR - body + 1 > 50) offence_at(FILENAME, body, "function is longer than 50 lines")
    body = 0
}

FNR == 601 { offence("file is longer than 600 lines") }

/(^|[^A-Za-z0-9_])(TO[D]O|FIX[M]E|XX[X]|HA[C]K)([^A-Za-z0-9_]|$)/ { offence("leftover to be settled") }

{
    characters = $0
    gsub(/[\200-\277]/, "", characters) # UTF-8: only first bytes count
    if (length(characters) > 120) offence("line is longer than 120 characters")
}

/\t/ && (is_c || FILENAME ~ /\.def$/) { offence("tab") }

# A comment above a function or a struct stands alone: it does not go on with the sentence of the one before.
folder != "tests" && is_c && (/^\/\* (and|or|but|which|as|then|so|that|\.\.\.)[ ,]/ || /^( \*|\/\*).*[,;] \*\/$/) {
    offence("comment does not stand alone")
}

FILENAME ~ /\.def$/ && /^[A-Z_]+\(/ { note_row($0) }

is_c && !in_comment && match($0, /^[ \t]*#[ \t]*include[ \t]*["<][^">]*/) {
    target = substr($0, RSTART, RLENGTH)
    is_quoted = target ~ /"/
    sub(/^[^"<]*["<]/, "", target)
    check_include()
    note_include()
    next
}

is_c {
    code = code_of($0)
    if (match(code, /(^|[^A-Za-z0-9_])(strcpy|sprintf|strcat|gets|atoi|alloca)[ ]*\(/)) {
        banned = substr(code, RSTART, RLENGTH)
        gsub(/[^a-z]/, "", banned)
        offence("calls " banned "()")
    }
    if (folder != "tests") note_words(code)
}

END {
    check_rows()
    check_cycles()
    exit offences > 0
}
' "${files[@]}" | sort -t: -k1,1 -k2,2n || found=1

"$rows" . || found=1

if [ "$found" -ne 0 ]; then
    echo "tidy: see above" >&2
    exit 1
fi
echo "tidy: ${#files[@]} files, nothing to say"
