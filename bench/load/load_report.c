/* bench/load/load_report.c - what a run has shown, for people and for programs. */
#include "bench/load/load_result.h"

#include "bench/clock.h"

#include <inttypes.h>

static double seconds(uint64_t ns)
{
    return (double)ns / (double)NS_PER_SECOND;
}

static double us(uint64_t ns)
{
    return (double)ns / 1e3;
}

/* ns shared by `count`, in us; 0 when there is nothing to share it. */
static double us_each(uint64_t ns, uint64_t count)
{
    return count > 0 ? us(ns) / (double)count : 0;
}

static double percent(uint64_t part_ns, uint64_t whole_ns)
{
    return whole_ns > 0 ? 100 * (double)part_ns / (double)whole_ns : 0;
}

static double rss_each(const struct load_result *result)
{
    return result->connections > 0 ? result->server_connect_rss_bytes / (double)result->connections : 0;
}

static double per_second(uint64_t count, uint64_t ns)
{
    return ns > 0 ? (double)count / seconds(ns) : 0;
}

/* All that the server has delivered. */
static uint64_t deliveries(const struct load_result *result)
{
    return result->delivered + result->delivered_to_guests + result->delivered_to_slow;
}

/* ---- for people ---- */

static void report_connecting(const struct load_result *result, FILE *file)
{
    fprintf(file, "connected    %" PRIu64 " in %.2f s, %.0f/s", result->connections, seconds(result->connect_ns),
            per_second(result->connections, result->connect_ns));
    if (result->has_server) {
        fprintf(file, "; server CPU %.1f us and RSS %+.0f bytes each",
                us_each(result->server_connect_cpu_ns, result->connections), rss_each(result));
    }
    fputc('\n', file);
}

static void report_load(const struct load_result *result, FILE *file)
{
    fprintf(file, "load         %" PRIu64 " connections, %" PRIu64 " %s, %" PRIu64 " publishers, %" PRIu64,
            result->connections, result->rooms, result->is_pusher ? "channels" : "rooms", result->publishers,
            result->payload_bytes_min);
    if (result->payload_bytes_min < result->payload_bytes_max)
        fprintf(file, " to %" PRIu64, result->payload_bytes_max);
    if (result->rate > 0) {
        fprintf(file, " bytes, %.10g messages/s due\n", result->rate);
    } else {
        fprintf(file, " bytes, %" PRIu64 " in flight\n", result->window);
    }
    if (result->threads > 1) {
        fprintf(file, "by           %" PRIu64 " threads in %" PRIu64 " process%s\n", result->threads,
                result->processes, result->processes > 1 ? "es" : "");
    }
}

static void report_apart(const struct load_result *result, FILE *file)
{
    if (result->guests > 0) {
        fprintf(file,
                "guests       %" PRIu64 " connections came back %" PRIu64 " times and got %" PRIu64 " messages%s\n",
                result->guests, result->rejoined, result->delivered_to_guests,
                result->is_unverified ? "" : ", in that order without a gap");
    }
    if (result->slow > 0) {
        fprintf(file,
                "slow         %" PRIu64 " connections got %" PRIu64 " messages; the server closed %" PRIu64
                " of them\n",
                result->slow, result->delivered_to_slow, result->slow_closed);
    }
}

static void report_cpu(const struct load_result *result, FILE *file)
{
    double own = percent(result->own_cpu_ns, result->span_ns);
    if (result->has_server) {
        fprintf(file, "server CPU   %.3f us per delivery, %.0f %% of a core; RSS %.1f MiB\n",
                us_each(result->server_cpu_ns, deliveries(result)), percent(result->server_cpu_ns, result->span_ns),
                (double)result->server_rss_bytes / (1 << 20));
    }
    fprintf(file, "own CPU      %.3f us per delivery, %.0f %% of a core%s\n",
            us_each(result->own_cpu_ns, deliveries(result)), own,
            own > 90 * (double)result->threads ? ": latencies and rates show this tool's limit, not the server's"
                                               : "");
}

static void report_latency(const struct histogram *latency, FILE *file)
{
    fprintf(file, "latency us   p50 %.0f, p90 %.0f, p99 %.0f, p99.9 %.0f, max %.0f\n",
            us(histogram_percentile(latency, 0.5)), us(histogram_percentile(latency, 0.9)),
            us(histogram_percentile(latency, 0.99)), us(histogram_percentile(latency, 0.999)), us(latency->max));
}

void load_report(const struct load_result *result, FILE *file)
{
    struct histogram latency;
    series_total(&result->series, &latency);
    report_connecting(result, file);
    report_load(result, file);
    fprintf(file, "sent         %" PRIu64 " messages, %.0f/s\n", result->sent,
            per_second(result->sent_in_time, result->publish_ns));
    fprintf(file, "delivered    %" PRIu64 " of %" PRIu64 ", %.0f/s%s\n", result->delivered, result->expected,
            per_second(result->delivered_in_time, result->publish_ns),
            result->status == LOAD_OK && !result->is_unverified ? ", each once and in one order" : "");
    report_apart(result, file);
    report_cpu(result, file);
    report_latency(&latency, file);
}

/* ---- for programs ---- */

/* A sentence as a JSON string; what would need an escape becomes a question mark. */
static void put_text(const char *text, FILE *file)
{
    fputc('"', file);
    for (const char *at = text; *at != '\0'; at++) {
        fputc(*at < ' ' || *at > '~' || *at == '"' || *at == '\\' ? '?' : *at, file);
    }
    fputc('"', file);
}

static void json_load(const struct load_result *result, FILE *file)
{
    fprintf(file, "{\"connections\":%" PRIu64 ",\"rooms\":%" PRIu64 ",\"publishers\":%" PRIu64 ",",
            result->connections, result->rooms, result->publishers);
    fprintf(file,
            "\"payload_bytes\":%" PRIu64 ",\"payload_bytes_min\":%" PRIu64 ",\"window\":%" PRIu64 ",\"rate\":%.10g,",
            result->payload_bytes_max, result->payload_bytes_min, result->window, result->rate);
    fprintf(file, "\"processes\":%" PRIu64 ",\"threads\":%" PRIu64 ",\"connect_s\":%.6f,", result->processes,
            result->threads, seconds(result->connect_ns));
}

static void json_deliveries(const struct load_result *result, FILE *file)
{
    fprintf(file, "\"messages\":%" PRIu64 ",\"messages_per_s\":%.1f,", result->sent,
            per_second(result->sent_in_time, result->publish_ns));
    fprintf(file, "\"deliveries\":%" PRIu64 ",\"deliveries_expected\":%" PRIu64 ",\"deliveries_per_s\":%.1f,",
            result->delivered, result->expected, per_second(result->delivered_in_time, result->publish_ns));
    if (result->guests > 0) {
        fprintf(file, "\"guests\":%" PRIu64 ",\"rejoined\":%" PRIu64 ",\"guest_deliveries\":%" PRIu64 ",",
                result->guests, result->rejoined, result->delivered_to_guests);
    }
    if (result->slow > 0) {
        fprintf(file, "\"slow\":%" PRIu64 ",\"slow_closed\":%" PRIu64 ",\"slow_deliveries\":%" PRIu64 ",",
                result->slow, result->slow_closed, result->delivered_to_slow);
    }
}

static void json_cpu(const struct load_result *result, FILE *file)
{
    uint64_t all = deliveries(result);
    if (result->has_server) {
        fprintf(file, "\"server_cpu_us_per_connection\":%.3f,\"server_rss_bytes_per_connection\":%.1f,",
                us_each(result->server_connect_cpu_ns, result->connections), rss_each(result));
        fprintf(file,
                "\"server_cpu_us_per_delivery\":%.5f,\"server_cpu_percent\":%.1f,\"server_rss_bytes\":%" PRIu64 ",",
                us_each(result->server_cpu_ns, all), percent(result->server_cpu_ns, result->span_ns),
                result->server_rss_bytes);
    }
    fprintf(file, "\"own_cpu_us_per_delivery\":%.5f,\"own_cpu_percent\":%.1f,", us_each(result->own_cpu_ns, all),
            percent(result->own_cpu_ns, result->span_ns));
}

static void json_latency(const struct histogram *latency, FILE *file)
{
    fprintf(file, "\"latency_us\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p99.9\":%.1f,\"max\":%.1f}",
            us(histogram_percentile(latency, 0.5)), us(histogram_percentile(latency, 0.9)),
            us(histogram_percentile(latency, 0.99)), us(histogram_percentile(latency, 0.999)), us(latency->max));
}

/* A point's own keys, so that those of the whole are there once only. */
static void json_series(const struct series *series, FILE *file)
{
    fprintf(file, ",\"point_s\":%u,\"points\":[", series->point_seconds);
    for (uint32_t i = 0; i < series->count; i++) {
        const struct histogram *latency = &series->points[i].latency;
        fprintf(file, "%s[%" PRIu64 ",%" PRIu64 ",%.1f,%.1f,%.1f]", i > 0 ? "," : "", series->points[i].sent,
                latency->count, us(histogram_percentile(latency, 0.5)), us(histogram_percentile(latency, 0.99)),
                us(latency->max));
    }
    fputs("],", file);
}

void load_report_json(const struct load_result *result, FILE *file)
{
    struct histogram latency;
    series_total(&result->series, &latency);
    json_load(result, file);
    json_deliveries(result, file);
    json_cpu(result, file);
    json_latency(&latency, file);
    json_series(&result->series, file);
    fprintf(file,
            "\"verified\":%s,\"failure\":", result->status == LOAD_OK && !result->is_unverified ? "true" : "false");
    put_text(result->failure, file);
    fputs("}\n", file);
}
