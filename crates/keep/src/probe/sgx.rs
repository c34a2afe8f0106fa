//! Intel SGX keeps.

use super::Check;
use super::machine;

/// Probes for SGX keeps.
pub(super) fn probe() -> Check {
    let children = vec![
        processor(),
        machine::kernel_since((6, 0), "growing enclaves (EDMM)"),
        machine::device(
            "/dev/sgx_enclave",
            "enable SGX with flexible launch control in the firmware; the kernel needs CONFIG_X86_SGX",
        ),
        Check::unknown("enclave", "no enclave was made; microcode and TCB level were not verified"),
    ];
    machine::unlaunched("sgx", "enclaves of Intel SGX", children)
}

fn processor() -> Check {
    /// CPUID leaf 7 (Intel SDM volume 2A, CPUID): EBX bit 2 is SGX, ECX bit 30 flexible launch control.
    const FEATURES: u32 = 7;
    const SGX: u32 = 1 << 2;
    const LAUNCH_CONTROL: u32 = 1 << 30;
    /// CPUID leaf 12h, subleaf 0: EAX bit 1 is SGX2.
    const ENUMERATION: u32 = 0x12;
    const SGX2: u32 = 1 << 1;
    let hint =
        "an Intel Xeon of 3rd generation or later, with SGX and flexible launch control on in the firmware";
    let through = machine::seen_through_hypervisor();
    let no = |what: &str| Check::no("processor", format!("CPUID does not show {what}{through}"), hint);
    match machine::cpuid(FEATURES, 0) {
        Some(leaf) if leaf.ebx & SGX != 0 && leaf.ecx & LAUNCH_CONTROL == 0 => no("flexible launch control"),
        Some(leaf) if leaf.ebx & SGX != 0 => match machine::cpuid(ENUMERATION, 0) {
            Some(leaf) if leaf.eax & SGX2 != 0 => {
                Check::ok("processor", format!("CPUID shows SGX2 with flexible launch control{through}"))
            }
            _ => no("SGX2"),
        },
        _ => no("SGX"),
    }
}
