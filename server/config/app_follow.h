/* server/config/app_follow.h - apps that were read while a server runs with others.
 *
 * An app's index is in the names of its channels and with its connections, so it stays the app's for good, also while
 * the app is gone: it stands there as it was, marked, until it comes back. The first app has the rooms; another one
 * gets them with a restart, and until then it stays, whatever is given. */
#pragma once

#include "server/config/changes.h"
#include "server/config/options.h"

/* As options_follow(). *shuts_r: some app is served no more, gone or not enabled. RC_OK; RC_EFULL: there are no indexes
 * left; RC_ENOMEM. */
enum rc app_list_follow(struct options *next, const struct options *now, bool *shuts_r, struct changes *changes);
