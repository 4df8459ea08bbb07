/* net/tls/aead_check.h - does a library of AEADs get it right? */
#pragma once

#include "core/rc.h"
#include "net/tls/aead_kind.h"

struct aead;
struct aead_library;

/* A key, a nonce and a header that are no secret. */
struct aead_with aead_check_with(enum aead_kind kind);
/* Does it give the known answer, open it, and refuse it changed? RC_EPROTO: no. RC_ENOMEM. */
enum rc aead_check(struct aead *aead, const struct aead_library *library, enum aead_kind kind);
