# tests/e2e/with_profile.py PROFILE PROGRAM [ARGUMENT]... - runs a program under a seccomp profile, as a container's
# runtime would: in its JSON, for this machine's architecture. With Debian's python3-seccomp.
import json
import os
import sys

import seccomp

ACTIONS = {'SCMP_ACT_ALLOW': seccomp.ALLOW}
OPS = {'SCMP_CMP_EQ': seccomp.EQ, 'SCMP_CMP_NE': seccomp.NE}


def action_of(rule, default):
    return ACTIONS.get(rule['action']) or seccomp.ERRNO(rule.get('errnoRet', default))


with open(sys.argv[1], encoding='utf-8') as file:
    profile = json.load(file)
default = profile['defaultErrnoRet']
calls = seccomp.SyscallFilter(seccomp.ERRNO(default))
for rule in profile['syscalls']:
    args = [seccomp.Arg(arg['index'], OPS[arg['op']], arg['value']) for arg in rule.get('args', [])]
    for name in rule['names']:
        try:
            calls.add_rule(action_of(rule, default), name, *args)
        except (OSError, RuntimeError, ValueError):  # of another architecture, or unknown here: runtimes leave it out
            if 'io_uring' in name:
                raise
calls.load()
os.execv(sys.argv[2], sys.argv[2:])
