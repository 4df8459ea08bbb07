/* server/run/doctor_machine.h - the kernel's settings, judged for a server of these options: limits, queues, ports,
 * clock.
 *
 * One thread; reads files below /proc, waits for nobody. */
#pragma once

#include "server/config/options.h"
#include "server/run/findings.h"

/* Adds what it finds. options->shards and options->connections_max are settled. `root` stands before /proc: "", or
 * where a test has made it. Files that are absent say nothing. */
void doctor_look_at_machine(const struct options *options, const char *root, struct findings *findings);
