/* net/tls/tls_certificate_facts.h - what is told of a certificate. */
#pragma once

#include <stdint.h>

struct tls_certificate_facts {
    char subject[256];  /* "CN=chat.example.com"; "": it has none, or a longer one */
    char names[512];    /* for which it is made out, "chat.example.com, *.example.com"; ", ..." when there are more */
    int64_t valid_from; /* in seconds since 1970 */
    int64_t expire_at;
};
