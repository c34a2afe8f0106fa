//! Process keeps: what the kernel confines an ordinary process with.

use super::{Check, State};
use std::fs;

/// Probes for process keeps.
pub(super) fn probe() -> Check {
    let children = vec![seccomp(), landlock(), no_new_privileges(), user_namespaces()];
    let detail = match children.iter().take(3).find(|check| check.state == State::No) {
        None => "available; protects the host from the workload, not the workload from the host".to_owned(),
        Some(missing) => format!("available without {}; protects the host less", missing.id),
    };
    let seccomp_missing = children.first().is_some_and(|check| check.state == State::No);
    let state = if seccomp_missing { State::No } else { State::Ok };
    Check { children, ..Check::new("process", state, detail) }
}

fn seccomp() -> Check {
    const ACTIONS: &str = "/proc/sys/kernel/seccomp/actions_avail";
    const CONFIG: &str = "a kernel with CONFIG_SECCOMP_FILTER, Linux 4.14 or later";
    match fs::read_to_string(ACTIONS) {
        Ok(actions) if actions.split_whitespace().any(|action| action == "kill_process") => {
            Check::ok("seccomp", "filters can end a process")
        }
        Ok(actions) => Check::no("seccomp", format!("filters can only {}", actions.trim()), CONFIG),
        Err(error) => Check::no("seccomp", format!("{ACTIONS} cannot be read: {error}"), CONFIG),
    }
}

fn landlock() -> Check {
    match crate::sys::landlock::level() {
        Ok(level @ 0..=3) => Check {
            hint: Some(
                "level 4 (Linux 6.7) adds TCP ports, level 6 (Linux 6.12) signals and abstract sockets"
                    .to_owned(),
            ),
            ..Check::ok("landlock", format!("level {level}: files only"))
        },
        Ok(level @ 4..=5) => Check {
            hint: Some("level 6 (Linux 6.12) adds signals and abstract sockets".to_owned()),
            ..Check::ok("landlock", format!("level {level}: files and TCP ports"))
        },
        Ok(level) => {
            Check::ok("landlock", format!("level {level}: files, TCP ports, signals, abstract sockets"))
        }
        Err(error) => Check::no(
            "landlock",
            format!("the kernel does not offer it: {error}"),
            "Linux 5.13 or later, with `landlock` among the modules of the boot option `lsm=`",
        ),
    }
}

fn no_new_privileges() -> Check {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if status.lines().any(|line| line.starts_with("NoNewPrivs:")) {
        Check::ok("no-new-privileges", "a process can forgo them")
    } else {
        Check::unknown("no-new-privileges", "/proc/self/status does not tell")
    }
}

fn user_namespaces() -> Check {
    const MOST: &str = "/proc/sys/user/max_user_namespaces";
    match fs::read_to_string(MOST).ok().and_then(|text| text.trim().parse::<u64>().ok()) {
        Some(0) => Check::new("user-namespaces", State::No, "switched off; keeps do not need them"),
        Some(_) => Check::unknown("user-namespaces", "not switched off; keeps do not use them"),
        None => Check::unknown("user-namespaces", format!("{MOST} does not tell; keeps do not use them")),
    }
}
