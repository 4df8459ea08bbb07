/* server/connection/secure_files.c - files that are handed over, and the context made of them. */
#include "server/connection/secure_files.h"

#include "core/tsan.h"
#include "net/tls/tls.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <ck_pr.h>
#include <stdio.h>

void secure_offer_files(struct shard *shard, struct tls_files *files)
{
    TSAN_RELEASE(&shard->tls.offered);
    ck_pr_fence_release(); /* what the files hold, then the files; a barrier of its own where the exchange is none */
    tls_files_drop(ck_pr_fas_ptr(&shard->tls.offered, files));
}

static enum rc make_sessions(struct shard *shard, char *reason_r, size_t reason_size)
{
    if (shard->tls.sessions == NULL) shard->tls.sessions = tls_sessions_new();
    if (shard->tls.sessions != NULL) return RC_OK;
    snprintf(reason_r, reason_size, "There is no memory for TLS.");
    return RC_ENOMEM;
}

enum rc secure_take_files(struct shard *shard, char *reason_r, size_t reason_size)
{
    assert(owner_is_me(&shard->owner));
    if (ck_pr_load_ptr(&shard->tls.offered) == NULL) return RC_OK;
    struct tls_files *files = ck_pr_fas_ptr(&shard->tls.offered, NULL);
    ck_pr_fence_acquire();
    TSAN_ACQUIRE(&shard->tls.offered);
    struct tls_context *context;
    enum rc rc = make_sessions(shard, reason_r, reason_size);
    if (rc == RC_OK) rc = tls_context_new(&context, files, shard->ticket_keys, reason_r, reason_size);
    tls_files_drop(files);
    if (rc != RC_OK) return rc;
    tls_context_drop(shard->tls.context); /* handshakes keep it */
    shard->tls.context = context;
    return RC_OK;
}

void secure_end(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    tls_files_drop(shard->tls.offered);
    tls_context_drop(shard->tls.context);
    tls_sessions_free(shard->tls.sessions);
    shard->tls.sessions = NULL;
    shard->tls.offered = NULL;
    shard->tls.context = NULL;
}
