//! Process keeps on systems whose confinement we do not use.

use super::Check;

/// Probes for process keeps.
pub(super) fn probe() -> Check {
    let detail =
        "available as a plain child process, not confined by the system: seccomp and landlock are Linux's";
    Check::ok("process", detail)
}
