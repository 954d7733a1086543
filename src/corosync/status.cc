#include "corosync/status.h"

#include <corosync/corotypes.h>

namespace assent {

namespace {

const char* words(int cs_error) {
    switch (cs_error) {
        case CS_OK: return "done";
        case CS_ERR_LIBRARY: return "corosync is not running or not reachable";
        case CS_ERR_TRY_AGAIN: return "corosync is busy";
        case CS_ERR_TIMEOUT: return "corosync does not answer";
        case CS_ERR_INVALID_PARAM: return "invalid parameter";
        case CS_ERR_NO_MEMORY: return "out of memory";
        case CS_ERR_BAD_HANDLE: return "the connection is closed";
        case CS_ERR_ACCESS:
            return "corosync does not let this user in: allow it in /etc/corosync/uidgid.d/ and reload corosync";
        case CS_ERR_NOT_EXIST: return "not there";
        case CS_ERR_EXIST: return "already there";
        case CS_ERR_NO_SPACE: return "no space left in /dev/shm";
        case CS_ERR_NO_RESOURCES: return "no resources left";
        case CS_ERR_TOO_MANY_GROUPS: return "too many groups";
        default: return "unexpected error";
    }
}

}  // namespace

Cs cs_status(int cs_error) {
    switch (cs_error) {
        case CS_OK: return Cs::ok;
        case CS_ERR_TRY_AGAIN:
        case CS_ERR_TIMEOUT:
        case CS_ERR_BUSY: return Cs::again;
        case CS_ERR_LIBRARY:
        case CS_ERR_BAD_HANDLE: return Cs::dead;
        case CS_ERR_NOT_EXIST: return Cs::missing;
        case CS_ERR_ACCESS: return Cs::refused;
        default: return Cs::failed;
    }
}

std::string cs_text(int cs_error) { return std::string(words(cs_error)) + " (" + std::to_string(cs_error) + ")"; }

}  // namespace assent
