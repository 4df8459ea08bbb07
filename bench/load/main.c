/* bench/load/main.c - ringcast-load: load a WebSocket server, measure it, and check every message it delivers. */
#include "bench/load/load_options.h"
#include "bench/load/load_result.h"
#include "bench/load/load_run.h"

static int complain(const char *error, int status)
{
    fprintf(stderr, "ringcast-load: %s\n", error);
    return status;
}

/* What was printed: did it get there? */
static int finish_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return status;
    return complain("the result could not be written to stdout", status != LOAD_OK ? status : LOAD_UNABLE);
}

/* Says what there is to say, once. */
static int report(const struct load_options *options, const struct load_result *result)
{
    char error[LOAD_ERROR_BYTES];
    int status = (int)result->status;
    if (options->json) {
        load_report_json(result, stdout);
    } else if (status == LOAD_OK) {
        load_report(result, stdout);
    }
    if (status != LOAD_OK) complain(result->failure, status);
    status = finish_output(status);
    if (options->save != NULL && load_result_save(result, options->save, error) != RC_OK) {
        status = complain(error, status != LOAD_OK ? status : LOAD_UNABLE);
    }
    if (options->plot != NULL && result->series.count > 0 && load_plot(result, options->plot, error) != RC_OK) {
        status = complain(error, status != LOAD_OK ? status : LOAD_UNABLE);
    }
    return status;
}

static int run(const struct load_options *options)
{
    static struct load_run run;
    load_run(&run, options);
    int status = report(options, &run.result);
    load_result_fini(&run.result);
    return status;
}

static int merge(const struct load_options *options)
{
    static struct load_result whole, part;
    char error[LOAD_ERROR_BYTES];
    for (uint32_t i = 0; i < options->files_count; i++) {
        if (load_result_read(&part, options->files[i], error) != RC_OK) return complain(error, LOAD_MISUSED);
        enum rc rc = load_result_join(&whole, &part);
        load_result_fini(&part);
        if (rc != RC_OK) return complain("out of memory to merge", LOAD_UNABLE);
    }
    int status = report(options, &whole);
    load_result_fini(&whole);
    return status;
}

int main(int argc, char **argv)
{
    static struct load_options options;
    char error[LOAD_ERROR_BYTES];
    if (load_options_read(&options, argc, argv, error) != RC_OK || load_options_check(&options, error) != RC_OK) {
        return complain(error, LOAD_MISUSED);
    }
    if (options.help) {
        load_options_help(stdout);
        return finish_output(LOAD_OK);
    }
    /* Whether there can be a plot is found out before the load, not after it. */
    if (options.plot != NULL && load_plot_check(error) != RC_OK) return complain(error, LOAD_MISUSED);
    return options.merge ? merge(&options) : run(&options);
}
