/* server/cluster/script_files.h - the files of server/cluster/scripts as bytes. */
#pragma once

#include "core/embedded_file.h"

extern const struct embedded_file script_files[];
extern const size_t script_files_count;
