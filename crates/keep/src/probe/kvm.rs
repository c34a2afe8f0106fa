//! KVM keeps: virtual machines without memory encryption.

use super::Check;
use super::machine;

/// The device of KVM.
const DEVICE: &str = "/dev/kvm";
/// The only version of the API there ever was since Linux 2.6.22 (Documentation/virt/kvm/api.rst section 4.1).
const API_VERSION: i32 = 12;

/// Probes for KVM keeps.
pub(super) fn probe() -> Check {
    let absent = "enable virtualisation in the firmware and load kvm_intel or kvm_amd; in a virtual machine, its host must allow nesting";
    let device = machine::device(DEVICE, absent);
    let mut children = vec![device];
    if let Ok(kvm) = std::fs::File::options().read(true).write(true).open(DEVICE) {
        children.push(version(&kvm));
        children.push(machine_made(&kvm));
    }
    machine::unlaunched("kvm", "virtual machines without memory encryption", children)
}

/// The bits of the virtual machine types this kernel makes; none if it cannot be asked.
pub(super) fn machine_types() -> Option<i32> {
    /// `KVM_CAP_VM_TYPES` of linux/kvm.h.
    const VM_TYPES: libc::c_ulong = 235;
    let kvm = std::fs::File::options().read(true).write(true).open(DEVICE).ok()?;
    crate::sys::kvm::capability(&kvm, VM_TYPES).ok()
}

/// Whether this kernel makes virtual machines of a confidential type.
pub(super) fn makes_type(number: u32, name: &str, hint: &str) -> Check {
    match machine_types() {
        Some(types) if types & (1 << number) != 0 => {
            Check::ok("vm-type", format!("KVM offers virtual machines of type {name}"))
        }
        Some(_) => Check::no("vm-type", format!("KVM does not offer virtual machines of type {name}"), hint),
        None => Check::unknown("vm-type", format!("{DEVICE} cannot be asked for type {name}")),
    }
}

fn version(kvm: &std::fs::File) -> Check {
    match crate::sys::kvm::api_version(kvm) {
        Ok(API_VERSION) => Check::ok("api", format!("API version {API_VERSION}")),
        Ok(found) => {
            Check::no("api", format!("API version {found}, expected {API_VERSION}"), "boot a mainline kernel")
        }
        Err(error) => {
            Check::no("api", format!("the API version cannot be asked: {error}"), "see the kernel's log")
        }
    }
}

fn machine_made(kvm: &std::fs::File) -> Check {
    match crate::sys::kvm::create_vm(kvm) {
        Ok(()) => Check::ok("create-vm", "a virtual machine was made and removed"),
        Err(error) => Check::no(
            "create-vm",
            format!("no virtual machine could be made: {error}"),
            "another hypervisor may hold the processor; see the kernel's log",
        ),
    }
}
