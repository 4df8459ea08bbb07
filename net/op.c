/* net/op.c - names of operations. */
#include "net/op.h"

const char *op_name(enum op_kind kind)
{
    switch (kind) {
#define OP(name, text) \
    case OP_##name:    \
        return #name;
#include "net/op.def"
#undef OP
    case OP_KINDS_MAX:
        break;
    }
    return "UNKNOWN";
}
