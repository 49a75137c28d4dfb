/* The calls of actc.h that belong to no handle. */
#include "runtime.h"

const char *actc_version(void) { return ACTC_VERSION; }

const char *actc_status_text(actc_status status) {
    switch (status) {
#define STATUS(id, value, exit_status, text)                                                       \
    case ACTC_##id:                                                                                \
        return text;
#include "base/status.def"
#undef STATUS
    }
    return "an unknown status";
}

#define STATUS(id, value, exit_status, text)                                                       \
    _Static_assert((int)ACTC_##id == (value), "status.def and actc.h agree");
#include "base/status.def"
#undef STATUS
