/* bench/load/load_progress.h - how far a run is, on a line that is written over once a second. */
#pragma once

struct load_run;

void load_progress(struct load_run *run);
void load_progress_end(struct load_run *run);
