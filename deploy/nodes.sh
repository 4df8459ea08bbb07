# shellcheck shell=bash
# deploy/nodes.sh - two nodes of ringcast, and a Redis for them, to develop with: for deploy/run. It is sourced, never
# run, and only defines things.

# shellcheck disable=SC2154 # common.sh has root
readonly DEVELOPMENT_REDIS=$root/build/development-redis
readonly FIRST_REDIS_PORT=16379 # a Redis that is installed has 6379

# Prints a port of loopback that nobody listens on.
free_redis_port() {
    local port
    for ((port = FIRST_REDIS_PORT; port < FIRST_REDIS_PORT + 100; port++)); do
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port" && return 0; }
    done
    fail "no port from $FIRST_REDIS_PORT on is free for a Redis: give one that runs, --redis redis://HOST:PORT"
}

# Starts Debian's Redis; sets redis_port.
start_redis() {
    local services=$root/build/test-services binary libraries
    binary=$(PATH="$services/usr/bin:$PATH" type -P redis-server) || fail "there is no redis-server"
    libraries=$services/usr/lib/$(gcc -print-multiarch)
    redis_port=$(free_redis_port)
    mkdir -p "$DEVELOPMENT_REDIS"
    LD_LIBRARY_PATH=$libraries setsid "$binary" --bind 127.0.0.1 --port "$redis_port" --dir "$DEVELOPMENT_REDIS" \
        --appendonly yes --save '' >"$DEVELOPMENT_REDIS/log" 2>&1 &
    children+=($!)
    say "Redis on 127.0.0.1:$redis_port keeps what it has in $DEVELOPMENT_REDIS"
}

# 127.0.0.1:8080 becomes 127.0.0.1:8081; unix:PATH becomes unix:PATH-2.
next_address() {
    if [[ $1 == unix:* ]]; then
        echo "$1-2"
    else
        echo "${1%:*}:$((${1##*:} + 1))"
    fi
}

# The arguments of the second node, in `second`: those of the first, each address one further.
make_second() {
    local argument is_address=false has_listen=false
    second=()
    for argument; do
        $is_address && argument=$(next_address "$argument")
        is_address=false
        case $argument in
        --listen | --tls-listen | --control) is_address=true ;;
        --listen=* | --tls-listen=* | --control=*)
            argument=${argument%%=*}=$(next_address "${argument#*=}")
            ;;
        esac
        [[ $argument != --listen && $argument != --listen=* ]] || has_listen=true
        second+=("$argument")
    done
    $has_listen || second+=(--listen 0.0.0.0:8081)
}

# Ends what was started, and waits for it: nodes first, for they say goodbye to each other by Redis.
end_nodes() {
    local i
    for ((i = ${#children[@]} - 1; i >= 0; i--)); do
        kill "${children[i]}" 2>/dev/null || true
        wait "${children[i]}" 2>/dev/null || true
    done
}

# Runs two nodes until one of them ends, or we are told to; the exit status is the node's.
# needs_redis: they have a Redis of their own.
run_nodes() {
    local needs_redis=$1 binary=$root/build/release/bin/ringcast code=0
    shift
    children=()
    trap end_nodes EXIT
    trap 'exit 0' INT TERM
    if $needs_redis; then
        start_redis
        set -- --redis "redis://127.0.0.1:$redis_port" "$@"
    fi
    make_second "$@"
    setsid "$binary" "$@" & # a Ctrl-C is for us, who tell them
    children+=($!)
    setsid "$binary" "${second[@]}" &
    children+=($!)
    wait -n || code=$?
    exit "$code"
}
