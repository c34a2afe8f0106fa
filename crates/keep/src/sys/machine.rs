//! Virtual machines and their processors.
#![expect(unsafe_code, reason = "giving memory to a machine, and interrupts, have no safe form")]

use super::memory::GuestMemory;
use kvm_bindings::{
    CpuId, KVM_MAX_CPUID_ENTRIES, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, kvm_cpuid_entry2, kvm_device_attr,
    kvm_fpu, kvm_interrupt, kvm_regs, kvm_segment, kvm_userspace_memory_region, kvm_xcrs,
};
use kvm_ioctls::{Kvm, VcpuExit, VcpuFd, VmFd};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use vmm_sys_util::signal::register_signal_handler;

/// `KVM_INTERRUPT`, `_IOW(0xAE, 0x86, struct kvm_interrupt)` (Linux Documentation/virt/kvm/api.rst section 4.16).
const INTERRUPT: u64 = 0x4004_AE86;
/// `KVM_SET_DEVICE_ATTR`, `_IOW(0xAE, 0xE1, struct kvm_device_attr)` (section 4.81).
const SET_DEVICE_ATTRIBUTE: u64 = 0x4018_AEE1;
/// Where a processor of Intel without real mode keeps three pages of its own: nowhere near a keep's memory.
const TASK_STATE: usize = 0xFFFB_D000;

/// Bits of control registers (AMD APM volume 2, sections 3.1.1, 3.1.3 and 3.1.7).
mod control {
    /// Protection, its extensions, alignment, write protection of ring 0, paging.
    pub(super) const CR0: u64 = 0x8005_0033;
    /// Physical addresses of 52 bits; FXSAVE; exceptions of vectors.
    pub(super) const CR4: u64 = 1 << 5 | 1 << 9 | 1 << 10;
    /// What is added where the processor has it: ring 3 cannot read tables of ring 0; FS and GS by instruction; extended
    /// states; ring 0 cannot execute, and cannot read or write, what is ring 3's.
    pub(super) const UMIP: u64 = 1 << 11;
    pub(super) const FSGSBASE: u64 = 1 << 16;
    pub(super) const OSXSAVE: u64 = 1 << 18;
    pub(super) const SMEP: u64 = 1 << 20;
    pub(super) const SMAP: u64 = 1 << 21;
    /// SYSCALL, long mode on and active, no-execute.
    pub(super) const EFER: u64 = 0xD01;
}

/// Features that are instructions of every ring, which no hypervisor can take away or add: a machine has them if the
/// host has, whatever KVM says of them. Leaf 1 ecx: SSE3, PCLMUL, SSSE3, FMA, CX16, SSE4, MOVBE, POPCNT, AES, XSAVE, AVX,
/// F16C, RDRAND. Leaf 7 ebx: FSGSBASE, BMI, AVX2, ERMS, AVX-512 F, DQ, CD, BW and VL, RDSEED, ADX, SHA; ecx: the
/// vector extensions after them. Leaf 0x8000_0001 ecx: LAHF, LZCNT (Intel SDM volume 2A, CPUID).
const LEAF_1_ECX: u32 = 0x74D8_3203;
const LEAF_7_EBX: u32 = 0xF02F_0329;
const LEAF_7_ECX: u32 = 0x0000_5F42;
const EXTENDED_ECX: u32 = 0x0000_0021;
/// Processor states a keep may use: x87, SSE, AVX, AVX-512.
const STATES: u64 = 0xE7;

/// How a processor of the machine begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// Its number.
    pub number: u64,
    /// The first instruction.
    pub entry: u64,
    /// The stack pointer.
    pub stack: u64,
    /// The top page table.
    pub root: u64,
    /// Address and last byte of the descriptor table.
    pub descriptors: (u64, u16),
    /// Address and last byte of the task state.
    pub task: (u64, u16),
}

/// Why a processor came back.
#[derive(Debug)]
pub(crate) enum Exit {
    /// It wrote to this port.
    Port(u16),
    /// Somebody interrupted it.
    Interrupted,
    /// Something a keep never does, in words.
    Broken(String),
}

/// A virtual machine.
pub(crate) struct Machine {
    vm: VmFd,
    features: CpuId,
    has: Features,
}

#[derive(Clone, Copy, Default)]
struct Features {
    control: u64,
    states: u64,
}

/// A virtual processor.
pub(crate) struct Processor {
    fd: VcpuFd,
}

impl Machine {
    /// Makes one by way of an open `/dev/kvm`.
    pub(crate) fn new(device: OwnedFd) -> io::Result<Self> {
        // SAFETY: the descriptor is ours, and is given away.
        let kvm = unsafe { Kvm::from_raw_fd(device.into_raw_fd()) };
        let vm = kvm.create_vm()?;
        // Of use on processors that need it, refused on others.
        let _ = vm.set_tss_address(TASK_STATE);
        let mut features = kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)?;
        let has = complete(&mut features)?;
        Ok(Self { vm, features, has })
    }

    /// Gives the machine memory.
    pub(crate) fn add_memory(&self, slot: u32, physical: u64, memory: &GuestMemory) -> io::Result<()> {
        let region = kvm_userspace_memory_region {
            slot,
            flags: 0,
            guest_phys_addr: physical,
            memory_size: memory.len(),
            userspace_addr: memory.address(),
        };
        // SAFETY: the memory is mapped for the rest of this process's life, and only ever copied from and to.
        unsafe { self.vm.set_user_memory_region(region)? };
        Ok(())
    }

    /// Makes a processor.
    pub(crate) fn processor(&self, start: &Start) -> io::Result<Processor> {
        let fd = self.vm.create_vcpu(start.number)?;
        count_as_host(&fd)?;
        let mut features = self.features.clone();
        for entry in features.as_mut_slice() {
            number_processor(entry, start.number as u32);
        }
        fd.set_cpuid2(&features)?;
        let mut state = fd.get_sregs()?;
        state.cr0 = control::CR0;
        state.cr3 = start.root;
        state.cr4 = control::CR4 | self.has.control;
        state.efer = control::EFER;
        state.gdt.base = start.descriptors.0;
        state.gdt.limit = start.descriptors.1;
        let flat = |selector, kind, long| kvm_segment {
            limit: u32::MAX,
            selector,
            type_: kind,
            present: 1,
            s: 1,
            g: 1,
            l: long,
            db: 1 - long,
            ..Default::default()
        };
        state.cs = flat(abi::layout::selector::CODE, 0xB, 1);
        let data = flat(abi::layout::selector::DATA, 0x3, 0);
        (state.ss, state.ds, state.es) = (data, data, data);
        (state.fs, state.gs) = (data, data);
        let (base, limit) = start.task;
        let selector = abi::layout::selector::TASK;
        // A busy task state of 64 bits.
        state.tr =
            kvm_segment { base, limit: limit.into(), selector, type_: 0xB, present: 1, ..Default::default() };
        fd.set_sregs(&state)?;
        let (rip, rsp, rdi) = (start.entry, start.stack, start.number);
        fd.set_regs(&kvm_regs { rip, rsp, rdi, rflags: 2, ..Default::default() })?;
        // As Linux starts a program: all exceptions masked.
        fd.set_fpu(&kvm_fpu { fcw: 0x37F, mxcsr: 0x1F80, ..Default::default() })?;
        if self.has.states != 0 {
            let mut registers = kvm_xcrs { nr_xcrs: 1, ..Default::default() };
            registers.xcrs[0].value = self.has.states;
            fd.set_xcrs(&registers)?;
        }
        Ok(Processor { fd })
    }
}

impl Processor {
    /// How fast its time stamp counter counts, in kHz.
    pub(crate) fn counter_khz(&self) -> io::Result<u64> {
        Ok(self.fd.get_tsc_khz()?.into())
    }

    /// Runs it until it has to be looked after.
    pub(crate) fn run(&mut self) -> Exit {
        match self.fd.run() {
            Ok(VcpuExit::IoOut(port, _)) => Exit::Port(port),
            Ok(VcpuExit::Shutdown) => Exit::Broken("it shut itself down".to_owned()),
            Ok(VcpuExit::InternalError) => Exit::Broken("KVM cannot emulate an instruction of it".to_owned()),
            Ok(other) => Exit::Broken(format!("it did what no keep does: {other:?}")),
            Err(error) if error.errno() == libc::EINTR => Exit::Interrupted,
            Err(error) if error.errno() == libc::EAGAIN => Exit::Interrupted,
            Err(error) => Exit::Broken(format!("KVM failed: {error}")),
        }
    }

    /// Interrupts it, if it takes interrupts now. If not it is in ring 0, and looks for itself on the way out.
    pub(crate) fn interrupt(&mut self, vector: u8) -> io::Result<()> {
        if self.fd.get_kvm_run().ready_for_interrupt_injection == 0 {
            return Ok(());
        }
        let interrupt = kvm_interrupt { irq: vector.into() };
        // SAFETY: the structure lives across the call and is what the request takes.
        let done = unsafe { libc::ioctl(self.fd.as_raw_fd(), INTERRUPT as _, &raw const interrupt) };
        match (done, io::Error::last_os_error()) {
            (0, _) => Ok(()),
            // One is on its way already.
            (_, error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
            (_, error) => Err(error),
        }
    }

    /// Its registers, for a message about what went wrong.
    pub(crate) fn place(&self) -> String {
        match (self.fd.get_regs(), self.fd.get_sregs()) {
            (Ok(r), Ok(s)) => {
                format!("rip {:#x} rsp {:#x} cr2 {:#x} cs {:#x}", r.rip, r.rsp, s.cr2, s.cs.selector)
            }
            _ => "registers unknown".to_owned(),
        }
    }
}

/// Lets the time stamp counter show what the host's does: then all processors of the machine count alike, and so do both
/// rings where only one of them is emulated (Linux Documentation/virt/kvm/devices/vcpu.rst section 4.1).
fn count_as_host(processor: &VcpuFd) -> io::Result<()> {
    let offset = 0_u64;
    let attribute = kvm_device_attr {
        flags: 0,
        group: KVM_VCPU_TSC_CTRL,
        attr: KVM_VCPU_TSC_OFFSET.into(),
        addr: &raw const offset as u64,
    };
    // SAFETY: the structure lives across the call, and so does the number of 64 bits it points to, which this attribute is.
    let done = unsafe { libc::ioctl(processor.as_raw_fd(), SET_DEVICE_ATTRIBUTE as _, &raw const attribute) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The signal that makes a processor come back.
pub(crate) fn kick_signal() -> i32 {
    libc::SIGUSR1
}

/// Lets the signal interrupt waiting calls, and do nothing else.
pub(crate) fn prepare_kicks() -> io::Result<()> {
    extern "C" fn nothing(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}
    register_signal_handler(kick_signal(), nothing)?;
    Ok(())
}

/// Adds what every ring can do anyway to what KVM says, and picks the protections the machine has.
fn complete(features: &mut CpuId) -> io::Result<Features> {
    use std::arch::x86_64::__cpuid_count as ask;
    let mut has = Features::default();
    let (one, seven, extended) = (ask(1, 0), ask(7, 0), ask(0x8000_0001, 0));
    // XSAVE is on (leaf 1 ecx bit 27), so XGETBV may be asked.
    if one.ecx & 1 << 27 != 0 {
        // SAFETY: the processor has XSAVE, and the kernel has switched it on.
        has.states = unsafe { extended_states() } & STATES;
    }
    let missing = [7, 0xD].map(|leaf| !features.as_slice().iter().any(|entry| entry.function == leaf));
    for (leaf, missing) in [7, 0xD].into_iter().zip(missing) {
        if missing {
            let entry = kvm_cpuid_entry2 { function: leaf, flags: 1, ..Default::default() };
            features.push(entry).map_err(|_| io::Error::other("no room for a leaf of CPUID"))?;
        }
    }
    for entry in features.as_mut_slice() {
        match (entry.function, entry.index) {
            (0, _) => entry.eax = entry.eax.max(0xD),
            (1, _) => entry.ecx |= one.ecx & LEAF_1_ECX,
            (7, 0) => {
                entry.ebx |= seven.ebx & LEAF_7_EBX;
                entry.ecx |= seven.ecx & LEAF_7_ECX;
                let pairs = [
                    (entry.ebx, 7, control::SMEP),
                    (entry.ebx, 20, control::SMAP),
                    (entry.ecx, 2, control::UMIP),
                ];
                has.control |= pairs
                    .iter()
                    .filter(|(word, bit, _)| word & 1 << bit != 0)
                    .fold(0, |all, pair| all | pair.2);
            }
            (0xD, 0) => {
                let own = ask(0xD, 0);
                (entry.eax, entry.edx) = (own.eax & STATES as u32, 0);
                (entry.ebx, entry.ecx) = (own.ebx, own.ecx);
            }
            (0x8000_0001, _) => entry.ecx |= extended.ecx & EXTENDED_ECX,
            _ => {}
        }
    }
    if seven.ebx & 1 == 0 {
        return Err(io::Error::other("this processor has no FSGSBASE, which keeps of this kind need"));
    }
    has.control |= control::FSGSBASE | if has.states != 0 { control::OSXSAVE } else { 0 };
    Ok(has)
}

/// The states that the kernel has switched on.
///
/// # Safety
/// The processor must have XSAVE, and the kernel must have switched it on.
#[target_feature(enable = "xsave")]
unsafe fn extended_states() -> u64 {
    // SAFETY: the caller's.
    unsafe { std::arch::x86_64::_xgetbv(0) }
}

/// Where CPUID tells a processor's number (Intel SDM volume 2A, CPUID, leaves 1 and 0xB).
fn number_processor(entry: &mut kvm_cpuid_entry2, number: u32) {
    match entry.function {
        1 => entry.ebx = entry.ebx & 0x00FF_FFFF | number << 24,
        0xB => entry.edx = number,
        _ => {}
    }
}
