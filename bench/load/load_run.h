/* bench/load/load_run.h - a whole run, from the first connection to the result. */
#pragma once

#include "bench/load/load_threads.h"

/* Runs; the result has the status and what there is to report. */
void load_run(struct load_run *run, const struct load_options *options);
