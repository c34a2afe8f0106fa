//! KVM keeps: virtual machines without memory encryption.

use super::machine;
use super::{Check, State};
use crate::launch::{Image, Launch, kvm};
use crate::vmm::elf;
use api::launch::frame;
use api::launch::{Ending, NOTICE_LIMIT, Notice, Order};
use api::manifest::Manifest;

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
    let missing = children.iter().any(|child| child.state == State::No);
    let ended = if missing { None } else { Some(smallest_keep()) };
    let (state, detail) = match ended {
        None => (State::No, "this host lacks what is marked below".to_owned()),
        Some(Ok(Ending::Exit(SEEN))) => {
            (State::Ok, "a keep was launched, ran in ring 3, and ended".to_owned())
        }
        Some(Ok(other)) => (State::No, format!("a keep was launched, but {other}")),
        Some(Err(error)) => (State::No, format!("no keep could be launched: {error}")),
    };
    let what = "protects the host from the workload, not the workload from the host";
    Check { children, ..Check::new("kvm", state, format!("{detail}; {what}")) }
}

/// The code with which the smallest keep ends.
const SEEN: u8 = 42;

/// Launches a keep whose program tells its channel that it ended with [`SEEN`], and ends.
fn smallest_keep() -> Result<Ending, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let image = Image::in_memory(&program()).map_err(|error| text(&error))?;
    let manifest = Manifest::parse("files = []").map_err(|error| text(&error))?;
    let workload = std::fs::File::open("/dev/null").map_err(|error| text(&error))?;
    let order = Order {
        manifest: String::new(),
        args: Vec::new(),
        env: Default::default(),
        dirs: Vec::new(),
        roots: None,
        cache: false,
        known: None,
    };
    let launch =
        Launch { image: &image, manifest: &manifest, order: &order, workload, dirs: Vec::new(), cache: None };
    let keep = kvm::launch(launch).map_err(|error| text(&error))?;
    Ok(keep.run(&mut |_| {}))
}

/// `write(3, notice, length)`, `exit_group(0)`.
fn program() -> Vec<u8> {
    const CODE: [u8; 30] = [
        0xBF, 3, 0, 0, 0, // mov edi, 3
        0x48, 0x8D, 0x35, 18, 0, 0, 0, // lea rsi, [rip + 18]: behind the code
        0xBA, 0, 0, 0, 0, // mov edx, length
        0xB0, 1, 0x0F, 0x05, // mov al, 1; syscall
        0x31, 0xFF, 0xB8, 231, 0, 0, 0, 0x0F, 0x05, // xor edi, edi; mov eax, 231; syscall
    ];
    let notice = frame::encode(&Notice::Ended(Ending::Exit(SEEN)), NOTICE_LIMIT).unwrap_or_default();
    let mut code = CODE;
    code[13] = notice.len() as u8;
    elf::program(&[&code, notice.as_slice()].concat())
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
