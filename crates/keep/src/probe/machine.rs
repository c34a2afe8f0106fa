//! Facts about kernel and processor that several probes need.

use super::{Check, State};
use std::fs;

/// What was found about a kind of keep this version cannot launch: at best unknown, since nothing was launched.
pub(super) fn unlaunched(id: &'static str, what: &str, children: Vec<Check>) -> Check {
    let missing = children.iter().any(|child| child.state == State::No);
    let (state, end) = match missing {
        true => (State::No, "this host lacks what is marked below"),
        false => (State::Unknown, "no keep of this kind was launched, as this version cannot"),
    };
    Check { children, ..Check::new(id, state, format!("{what}; {end}")) }
}

/// The running kernel's version, such as (6, 18).
fn kernel() -> Option<(u32, u32)> {
    version(&fs::read_to_string("/proc/sys/kernel/osrelease").ok()?)
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Whether the kernel is recent enough; distributions move features to older ones, so an older one is only unlikely.
pub(super) fn kernel_since(needed: (u32, u32), what: &str) -> Check {
    let (major, minor) = needed;
    let floor = format!("{what} needs Linux {major}.{minor}");
    match kernel() {
        Some(found) if found >= needed => {
            let detail =
                format!("Linux {}.{}; {floor}; its configuration was not verified", found.0, found.1);
            Check::unknown("kernel", detail)
        }
        Some(found) => Check::no(
            "kernel",
            format!("Linux {}.{}; {floor}", found.0, found.1),
            "boot a newer kernel, unless your distribution added the feature to this one",
        ),
        None => Check::no("kernel", "not Linux", format!("{floor} on x86-64")),
    }
}

/// Whether a device node exists and opens for reading and writing.
pub(super) fn device(path: &'static str, absent: &str) -> Check {
    match fs::File::options().read(true).write(true).open(path) {
        Ok(_) => Check::ok("device", format!("{path} opens for reading and writing")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Check::no("device", format!("{path} does not exist"), absent)
        }
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Check::no(
            "device",
            format!("{path} exists, but this user may not open it"),
            format!("add the user to the group that owns {path}, and log in again"),
        ),
        Err(error) => Check::new("device", State::No, format!("{path} does not open: {error}")),
    }
}

/// Whether the kernel lists a processor feature in /proc/cpuinfo.
pub(super) fn cpu_flag(flag: &str) -> Option<bool> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let flags =
        text.lines().find_map(|line| line.strip_prefix("flags")?.split_once(':').map(|(_, flags)| flags))?;
    Some(flags.split_whitespace().any(|found| found == flag))
}

/// One register of a CPUID leaf; none if the processor has no such leaf, or no CPUID.
pub(super) fn cpuid(leaf: u32, subleaf: u32) -> Option<std::arch::x86_64::CpuidResult> {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    // The lowest leaf of a range tells its highest (Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E).
    let highest = __cpuid(leaf & 0xF000_0000).eax;
    (leaf <= highest).then(|| __cpuid_count(leaf, subleaf))
}

/// The words to add when a hypervisor decides what CPUID shows.
pub(super) fn seen_through_hypervisor() -> &'static str {
    match cpu_flag("hypervisor") {
        Some(true) => " (this is a virtual machine: its hypervisor decides what is shown)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let cases = [
            ("6.18.44-fc", Some((6, 18))),
            ("5.4\n", Some((5, 4))),
            ("6.1+", Some((6, 1))),
            ("", None),
            ("six", None),
            ("6", None),
        ];
        for (release, expected) in cases {
            assert_eq!(version(release), expected, "{release:?}");
        }
    }
}
