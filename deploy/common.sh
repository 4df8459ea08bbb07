# shellcheck shell=bash
# deploy/common.sh - what the scripts in this folder share. It is sourced, never run, and only defines things.

# The repository's top folder, also when a script is called through a link or from elsewhere.
root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")

say() {
    printf 'deploy/%s: %s\n' "${0##*/}" "$*"
}

fail() {
    say "$@" >&2
    exit 1
}

# The comment at the head of a script is its manual.
print_usage() {
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
}

# Run a command that has nothing to say when it works: its output appears only if it fails.
quietly() {
    local output code=0
    output=$("$@" 2>&1 </dev/null) || code=$?
    ((code == 0)) || printf '%s\n' "$output" >&2
    return "$code"
}

# Fails unless what is built can be written here.
check_writable() {
    local folder
    for folder in "$root/build/$1" "$root/build" "$root"; do
        [[ -e $folder ]] || continue
        [[ -w $folder ]] ||
            fail "$folder cannot be written by $(id -un), it belongs to $(stat -c %U "$folder") or is on a read-only" \
                "disk: run this as that user, or in a copy of the folder"
        return 0
    done
}

# One at a time installs and builds in this folder; whoever waits goes on when the other has built.
lock_build() {
    check_writable "$1"
    mkdir -p "$root/build"
    exec {build_lock}>"$root/build/lock"
    flock -n "$build_lock" && return
    say "waiting for another one that builds here" >&2
    flock "$build_lock"
}

# Before something is started that would keep the lock.
unlock_build() {
    exec {build_lock}>&-
}

# Configure and build one preset. Words after the preset's name go to the configure step.
build_preset() {
    local preset=$1
    shift
    check_writable "$preset"
    [[ -e $root/build/$preset/build.ninja ]] || say "building the preset $preset for the first time"
    # Ninja before 1.12 takes an apostrophe in a list of headers for the end of a name, and would build anew each time.
    [[ $root != *\'* ]] || set -- "-DCMAKE_C_COMPILER_LAUNCHER=$root/deploy/relative" "$@"
    quietly cmake -S "$root" --preset "$preset" "$@" ||
        fail "cannot configure build/$preset, see above; if the folder stems from another machine, remove it"
    quietly cmake --build "$root/build/$preset" || fail "the $preset build failed, see above"
}

# The server as people run it. Tests are never built here, so that Criterion is needed only where tests are run.
build_release() {
    build_preset release
}
