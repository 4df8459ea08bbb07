/* server/web/web_files.h - the files of server/web as bytes. */
#pragma once

#include "core/embedded_file.h"

extern const struct embedded_file web_files[];
extern const size_t web_files_count;
