/* net/tls/tls_error.h - what an error of mbedTLS means. */
#pragma once

#include <stdbool.h>

/* Is it one that means: out of memory? mbedTLS adds the code of a lower layer to its own. */
bool tls_error_is_memory(int error);
