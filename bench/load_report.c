/* bench/load_report.c - what a run has shown, for people and for programs. */
#include "bench/load.h"

#include "bench/clock.h"

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

static double rss_each(const struct load *load)
{
    return (double)load->connecting.server_rss_bytes / load->options->connections;
}

static void report_connecting(const struct load *load, FILE *file)
{
    const struct load_span *span = &load->connecting;
    uint32_t count = load->options->connections;
    fprintf(file, "connected    %u in %.2f s, %.0f/s", count, seconds(span->ns), count / seconds(span->ns));
    if (load->options->pid != 0) {
        fprintf(file, "; server CPU %.1f us and RSS %+.0f bytes each", us_each(span->server_cpu_ns, count),
                rss_each(load));
    }
    fputc('\n', file);
}

static void report_load(const struct load *load, FILE *file)
{
    const struct load_options *options = load->options;
    fprintf(file, "load         %u connections, %u rooms, %u publishers, %u bytes, ", options->connections,
            options->rooms, options->publishers, options->payload_bytes);
    if (options->rate > 0) {
        fprintf(file, "%.10g messages/s due\n", options->rate);
    } else {
        fprintf(file, "%u in flight\n", options->window);
    }
}

static void report_cpu(const struct load *load, FILE *file)
{
    const struct load_span *span = &load->publishing;
    double own = percent(span->own_cpu_ns, span->ns);
    if (load->options->pid != 0) {
        fprintf(file, "server CPU   %.3f us per delivery, %.0f %% of a core; RSS %.1f MiB\n",
                us_each(span->server_cpu_ns, load->delivered), percent(span->server_cpu_ns, span->ns),
                (double)load->server_rss_bytes / (1 << 20));
    }
    fprintf(file, "own CPU      %.3f us per delivery, %.0f %% of a core%s\n",
            us_each(span->own_cpu_ns, load->delivered), own,
            own > 90 ? ": latencies and rates show this tool's limit, not the server's" : "");
}

static void report_latency(const struct load *load, FILE *file)
{
    const struct histogram *latency = &load->latency;
    fprintf(file, "latency us   p50 %.0f, p90 %.0f, p99 %.0f, p99.9 %.0f, max %.0f\n",
            us(histogram_percentile(latency, 0.5)), us(histogram_percentile(latency, 0.9)),
            us(histogram_percentile(latency, 0.99)), us(histogram_percentile(latency, 0.999)), us(latency->max));
}

void load_report(const struct load *load, FILE *file)
{
    report_connecting(load, file);
    report_load(load, file);
    fprintf(file, "sent         %llu messages, %.0f/s\n", (unsigned long long)load->sent_total,
            (double)load->sent_in_time / load->publish_seconds);
    fprintf(file, "delivered    %llu of %llu, %.0f/s%s\n", (unsigned long long)load->delivered,
            (unsigned long long)load->expected, (double)load->delivered_in_time / load->publish_seconds,
            load->status == LOAD_OK && !load->options->no_verify ? ", each once and in one order" : "");
    report_cpu(load, file);
    report_latency(load, file);
}

/* A sentence as a JSON string; what would need an escape becomes a question mark. */
static void put_text(const char *text, FILE *file)
{
    fputc('"', file);
    for (const char *at = text; *at != '\0'; at++) {
        fputc(*at < ' ' || *at > '~' || *at == '"' || *at == '\\' ? '?' : *at, file);
    }
    fputc('"', file);
}

void load_report_json(const struct load *load, FILE *file)
{
    const struct load_options *options = load->options;
    const struct load_span *connecting = &load->connecting, *publishing = &load->publishing;
    const struct histogram *latency = &load->latency;
    double published = load->publish_seconds > 0 ? load->publish_seconds : 1;
    fprintf(file, "{\"connections\":%u,\"rooms\":%u,\"publishers\":%u,\"payload_bytes\":%u,", options->connections,
            options->rooms, options->publishers, options->payload_bytes);
    fprintf(file, "\"window\":%u,\"rate\":%.10g,", options->rate > 0 ? 0 : options->window, options->rate);
    fprintf(file, "\"connect_s\":%.6f,", seconds(connecting->ns));
    fprintf(file, "\"messages\":%llu,\"messages_per_s\":%.1f,", (unsigned long long)load->sent_total,
            (double)load->sent_in_time / published);
    fprintf(file, "\"deliveries\":%llu,\"deliveries_expected\":%llu,\"deliveries_per_s\":%.1f,",
            (unsigned long long)load->delivered, (unsigned long long)load->expected,
            (double)load->delivered_in_time / published);
    if (options->pid != 0) {
        fprintf(file, "\"server_cpu_us_per_connection\":%.3f,\"server_rss_bytes_per_connection\":%.1f,",
                us_each(connecting->server_cpu_ns, options->connections), rss_each(load));
        fprintf(file, "\"server_cpu_us_per_delivery\":%.5f,\"server_cpu_percent\":%.1f,\"server_rss_bytes\":%llu,",
                us_each(publishing->server_cpu_ns, load->delivered),
                percent(publishing->server_cpu_ns, publishing->ns), (unsigned long long)load->server_rss_bytes);
    }
    fprintf(file, "\"own_cpu_us_per_delivery\":%.5f,\"own_cpu_percent\":%.1f,",
            us_each(publishing->own_cpu_ns, load->delivered), percent(publishing->own_cpu_ns, publishing->ns));
    fprintf(file, "\"latency_us\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p99.9\":%.1f,\"max\":%.1f},",
            us(histogram_percentile(latency, 0.5)), us(histogram_percentile(latency, 0.9)),
            us(histogram_percentile(latency, 0.99)), us(histogram_percentile(latency, 0.999)), us(latency->max));
    fprintf(file, "\"verified\":%s,\"failure\":", load->status == LOAD_OK && !options->no_verify ? "true" : "false");
    put_text(load->failure, file);
    fputs("}\n", file);
}
