//! The confinement of a process keep on Linux, made ready before the process is.

use super::filter::{self, Confined, FilterError};
use super::image::Image;
use super::needs::Needs;
use crate::launch::Confinement;
use crate::sys;
use crate::sys::spawn::Instruction;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope, make_bitflags,
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The Landlock level this confinement is written for; on a lower one the kernel enforces what it knows.
const LEVEL: ABI = ABI::V6;
/// The same as a number.
const LEVEL_NUMBER: u32 = 6;
/// What Landlock adds, by the level that brought it.
const ADDED: [(u32, &str); 2] =
    [(4, "landlock TCP ports (Linux 6.7)"), (6, "landlock signal and abstract socket scopes (Linux 6.12)")];
/// What the C library reads to resolve a name.
const RESOLVER: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// A confinement ready to be entered.
pub(crate) struct Confine {
    landlock: Option<OwnedFd>,
    filter: Vec<Instruction>,
    /// What it enforces.
    pub(crate) report: Confinement,
}

/// A confinement that could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// The file system, network and scope rules.
    #[error("landlock refused the keep's rules")]
    Landlock(#[from] RulesetError),
    /// The system call filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
}

impl Confine {
    /// Builds the confinement that lets through exactly what is needed.
    pub(crate) fn build(needs: &Needs, image: &Image, dirs: &[OwnedFd]) -> Result<Self, ConfineError> {
        Self::of(Confined::Runtime, needs, Some(image), dirs)
    }

    /// Builds that of a virtual machine, which executes no image.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn of_machine(needs: &Needs, dirs: &[OwnedFd]) -> Result<Self, ConfineError> {
        Self::of(Confined::Machine, needs, None, dirs)
    }

    fn of(
        confined: Confined,
        needs: &Needs,
        image: Option<&Image>,
        dirs: &[OwnedFd],
    ) -> Result<Self, ConfineError> {
        let landlock: Option<OwnedFd> = ruleset(needs, image, dirs)?.into();
        // Where nothing else tells one path from another, the filter lets none through for the page map.
        let pagemap = needs.pagemap && landlock.is_some();
        let filter = filter::compile(confined, &Needs { pagemap, ..needs.clone() })?;
        let report = report(landlock_level(&landlock));
        Ok(Self { landlock, filter, report })
    }

    /// The ruleset, if this kernel has Landlock.
    pub(crate) fn landlock(&self) -> Option<BorrowedFd<'_>> {
        self.landlock.as_ref().map(AsFd::as_fd)
    }

    /// The system call filter.
    pub(crate) fn filter(&self) -> &[Instruction] {
        &self.filter
    }
}

fn landlock_level(ruleset: &Option<OwnedFd>) -> u32 {
    ruleset.as_ref().and_then(|_| sys::landlock::level().ok()).unwrap_or(0)
}

fn report(level: u32) -> Confinement {
    let mut enforced =
        vec!["seccomp".to_owned(), "no new privileges".to_owned(), "no descriptors inherited".to_owned()];
    let mut missing = Vec::new();
    match level {
        0 => missing.push("landlock (Linux 5.13, and `landlock` among the kernel's `lsm=`)".to_owned()),
        _ => enforced.push(format!("landlock level {}", level.min(LEVEL_NUMBER))),
    }
    missing.extend(ADDED.iter().filter(|(from, _)| level < *from).map(|(_, what)| (*what).to_owned()));
    Confinement { enforced, missing }
}

fn ruleset(needs: &Needs, image: Option<&Image>, dirs: &[OwnedFd]) -> Result<RulesetCreated, RulesetError> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LEVEL))?
        .handle_access(AccessNet::from_all(LEVEL))?
        .scope(Scope::from_all(LEVEL))?
        .create()?;
    if let Some(image) = image {
        // The child enters the ruleset before it executes the image.
        let access = make_bitflags!(AccessFs::{Execute | ReadFile});
        rules = rules.add_rule(PathBeneath::new(image.descriptor(), access))?;
    }
    for (dir, writable) in dirs.iter().zip(&needs.dirs_writable) {
        rules = rules.add_rule(PathBeneath::new(dir, directory_access(*writable)))?;
    }
    if needs.names {
        for file in RESOLVER.iter().filter_map(|path| PathFd::new(path).ok()) {
            rules = rules.add_rule(PathBeneath::new(file, AccessFs::ReadFile))?;
        }
    }
    for port in &needs.tcp_listen {
        rules = rules.add_rule(NetPort::new(*port, AccessNet::BindTcp))?;
    }
    for port in &needs.tcp_connect {
        rules = rules.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    Ok(rules)
}

/// What a workload may do below a directory: all that WASI can ask for, and no devices, pipes, sockets or programs.
fn directory_access(writable: bool) -> BitFlags<AccessFs> {
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let write = make_bitflags!(AccessFs::{
        WriteFile | Truncate | MakeReg | MakeDir | MakeSym | RemoveFile | RemoveDir | Refer
    });
    if writable { read | write } else { read }
}
