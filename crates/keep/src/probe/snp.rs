//! AMD SEV-SNP keeps.

use super::Check;
use super::{kvm, machine};

/// Probes for SEV-SNP keeps.
pub(super) fn probe() -> Check {
    let children = vec![
        processor(),
        machine::kernel_since((6, 11), "launching SEV-SNP guests"),
        machine::device(
            "/dev/sev",
            "load kvm_amd with sev_snp=1, on a host whose firmware has SEV-SNP switched on",
        ),
        kvm::makes_type(4, "SNP", "see the checks above; the firmware's RMP must cover all memory"),
        Check::unknown(
            "firmware",
            "versions, microcode and CVE fixes (such as CVE-2026-31591) were not verified",
        ),
    ];
    machine::unlaunched("snp", "virtual machines encrypted by AMD SEV-SNP", children)
}

fn processor() -> Check {
    /// CPUID Fn8000_001F (AMD APM volume 3, section E.4.17): EAX bit 4 is SEV-SNP.
    const LEAF: u32 = 0x8000_001F;
    const SNP: u32 = 1 << 4;
    let through = machine::seen_through_hypervisor();
    match machine::cpuid(LEAF, 0) {
        Some(leaf) if leaf.eax & SNP != 0 => {
            let spaces = leaf.ecx;
            Check::ok("processor", format!("CPUID shows SEV-SNP, {spaces} encrypted guests at once{through}"))
        }
        _ => Check::no(
            "processor",
            format!("CPUID does not show SEV-SNP{through}"),
            "AMD EPYC 7003 (Milan) or later, with SEV-SNP on in the firmware",
        ),
    }
}
