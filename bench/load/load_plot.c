/* bench/load/load_plot.c - gnuplot draws: latency above, rate below, over the same seconds. */
#include "bench/load/load_result.h"

#include <errno.h>
#include <string.h>

#define REFUSE(...) (snprintf(error, LOAD_ERROR_BYTES, __VA_ARGS__), RC_EINVAL)

static const char script[] = "set terminal svg size 900,600 dynamic font 'sans-serif,13' background rgb 'white'\n"
                             "set output output_file\n"
                             "set multiplot layout 2,1\n"
                             "set grid ytics lc rgb '#dddddd'\n"
                             "set border 3\n"
                             "set tics nomirror\n"
                             "set key outside right top\n"
                             "set lmargin 12\n"
                             "set rmargin 18\n"
                             "set xrange [0:*]\n"
                             "set ylabel 'latency, us'\n"
                             "set logscale y\n"
                             "set format y '%.0f'\n"
                             "set style data linespoints\n"
                             "set pointsize 0.4\n"
                             "plot $data using 1:4 title 'p50' lw 2, '' using 1:5 title 'p90' lw 2, "
                             "'' using 1:6 title 'p99' lw 2, '' using 1:7 title 'p99.9' lw 2, "
                             "'' using 1:8 title 'max' lw 1\n"
                             "unset logscale y\n"
                             "set yrange [0:*]\n"
                             "set format y '%.0s%c'\n"
                             "set xlabel 'seconds'\n"
                             "set ylabel 'per second'\n"
                             "plot $data using 1:3 title 'deliveries' lw 2, '' using 1:2 title 'messages' lw 2\n"
                             "unset multiplot\n";

enum rc load_plot_check(char error[LOAD_ERROR_BYTES])
{
    FILE *gnuplot = popen("gnuplot --version >/dev/null 2>&1", "r");
    if (gnuplot != NULL && pclose(gnuplot) == 0) return RC_OK;
    return REFUSE("--plot needs gnuplot, which is not there: install it (Debian: gnuplot-nox), or leave --plot out");
}

/* The last point may be a part of its seconds: its rates would fall for no reason, so it is left out if it can. */
static uint32_t points_of(const struct load_result *result)
{
    uint64_t ns = (uint64_t)result->series.point_seconds * 1000000000u;
    uint32_t whole = (uint32_t)(result->publish_ns / ns);
    return whole > 0 && whole < result->series.count ? whole : result->series.count;
}

static void write_data(const struct load_result *result, FILE *file)
{
    const struct series *series = &result->series;
    fputs("$data << EOD\n", file);
    for (uint32_t i = 0; i < points_of(result); i++) {
        const struct series_point *point = &series->points[i];
        const struct histogram *latency = &point->latency;
        fprintf(file, "%u %.1f %.1f", (i + 1) * series->point_seconds, (double)point->sent / series->point_seconds,
                (double)latency->count / series->point_seconds);
        const double shares[] = {0.5, 0.9, 0.99, 0.999, 1};
        for (int s = 0; s < 5; s++) {
            if (latency->count > 0) {
                fprintf(file, " %.1f", (double)histogram_percentile(latency, shares[s]) / 1e3);
            } else {
                fputs(" NaN", file);
            }
        }
        fputc('\n', file);
    }
    fputs("EOD\n", file);
}

enum rc load_plot(const struct load_result *result, const char *path, char error[LOAD_ERROR_BYTES])
{
    if (strchr(path, '\'') != NULL) return REFUSE("--plot %s: gnuplot takes no name with a ' in it", path);
    FILE *gnuplot = popen("gnuplot", "we");
    if (gnuplot == NULL) return REFUSE("cannot start gnuplot: %s", strerror(errno));
    write_data(result, gnuplot);
    fprintf(gnuplot, "output_file = '%s'\n%s", path, script);
    if (pclose(gnuplot) == 0) return RC_OK;
    return REFUSE("gnuplot could not draw %s, see above", path);
}
