//! Intel TDX keeps.

use super::Check;
use super::{kvm, machine};

/// Probes for TDX keeps.
pub(super) fn probe() -> Check {
    let children = vec![
        processor(),
        machine::kernel_since((6, 16), "launching TDX guests"),
        parameter(),
        kvm::makes_type(
            5,
            "TDX",
            "see the checks above; the TDX module must be loaded by the firmware or the kernel",
        ),
        Check::unknown("module", "the TDX module's version and its TCB level were not verified"),
    ];
    machine::unlaunched("tdx", "virtual machines encrypted by Intel TDX", children)
}

/// CPUID does not show a host's TDX; the kernel finds it by model-specific registers, and tells by this flag.
fn processor() -> Check {
    const FLAG: &str = "tdx_host_platform";
    match machine::cpu_flag(FLAG) {
        Some(true) => Check::ok("processor", format!("the kernel found a TDX host ({FLAG})")),
        Some(false) => Check::no(
            "processor",
            format!("the kernel found no TDX host (no {FLAG})"),
            "4th generation Intel Xeon or later, with TDX on in the firmware and CONFIG_INTEL_TDX_HOST in the kernel",
        ),
        None => Check::unknown("processor", "/proc/cpuinfo does not tell"),
    }
}

fn parameter() -> Check {
    const PARAMETER: &str = "/sys/module/kvm_intel/parameters/tdx";
    match std::fs::read_to_string(PARAMETER).as_deref().map(str::trim) {
        Ok("Y" | "1") => Check::ok("kvm-intel", "kvm_intel has TDX switched on"),
        Ok(_) => Check::no("kvm-intel", "kvm_intel has TDX switched off", "load kvm_intel with tdx=1"),
        Err(_) => Check::no(
            "kvm-intel",
            format!("{PARAMETER} does not exist"),
            "load kvm_intel of Linux 6.16 or later with tdx=1",
        ),
    }
}
