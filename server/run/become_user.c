/* server/run/become_user.c - user, groups and capabilities of another user. */
#include "server/run/become_user.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As AmbientCapabilities= of the unit; where root has no such right, its user has none there either. */
static void keep_low_ports(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {
        {.effective = 1U << CAP_NET_BIND_SERVICE, .permitted = 1U << CAP_NET_BIND_SERVICE}};
    if (syscall(SYS_capset, &head, sets) != 0) {
        sets[0] = (struct __user_cap_data_struct){0};
        syscall(SYS_capset, &head, sets);
    }
}

enum rc become_user(const char *name, char *reason_r, size_t reason_size)
{
    static const struct rlimit no_limit = {RLIM_INFINITY, RLIM_INFINITY};
    const struct passwd *user = getpwnam(name);
    if (user == NULL) {
        snprintf(reason_r, reason_size, "--user: no user is called \"%s\"; give the one that the service runs as",
                 name);
        return RC_EINVAL;
    }
    if (user->pw_uid == geteuid()) return RC_OK;
    setrlimit(RLIMIT_MEMLOCK, &no_limit); /* LimitMEMLOCK= of the unit */
    prctl(PR_SET_KEEPCAPS, 1L);
    if (initgroups(name, user->pw_gid) != 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) != 0 ||
        setresuid(user->pw_uid, user->pw_uid, user->pw_uid) != 0) {
        snprintf(reason_r, reason_size, "--user: cannot become %s: %s; run it as root, or as %s without --user", name,
                 strerror(errno), name);
        return RC_EINVAL;
    }
    keep_low_ports();
    return RC_OK;
}
