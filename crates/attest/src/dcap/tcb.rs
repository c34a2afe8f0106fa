//! What a platform's security versions are worth, decided as Intel's own verification library decides it.
//!
//! Intel SGX DCAP Quote Verification Library, section 4.1.2.4.17 of its reference (the level of the platform, of the TDX
//! module, relaunch, convergence), as its code has it: `Checks/TcbLevelCheck`, `TdxModuleCheck`, `TDRelaunchCheck`.

use alloc::collections::BTreeSet;
use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::collateral::{EnclaveIdentity, EnclaveLevel, TcbInfo, TcbLevel, TdxModule};
use super::pck::Pck;
use crate::time::Time;
use crate::value::Value;

/// The worth of a TCB level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Nothing is known against it.
    UpToDate,
    /// Software must work around a flaw of the hardware.
    #[serde(rename = "SWHardeningNeeded")]
    SwHardeningNeeded,
    /// The platform's owner must change its configuration.
    ConfigurationNeeded,
    /// Both.
    #[serde(rename = "ConfigurationAndSWHardeningNeeded")]
    ConfigurationAndSwHardeningNeeded,
    /// An update is missing.
    OutOfDate,
    /// An update is missing, and the configuration must change.
    OutOfDateConfigurationNeeded,
    /// The TDX module was updated under the running TD; its launch still rests on the old one.
    #[serde(rename = "TDRelaunchAdvised")]
    TdRelaunchAdvised,
    /// The same, and the configuration must change.
    #[serde(rename = "TDRelaunchAdvisedConfigurationNeeded")]
    TdRelaunchAdvisedConfigurationNeeded,
    /// Its keys are not trusted any more.
    Revoked,
}

/// What the collateral says of one platform and its quoting enclave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Everything merged.
    pub status: Status,
    /// The level of the platform.
    pub platform: Status,
    /// The level of the TDX module, of generations that have levels of their own.
    pub module: Option<Status>,
    /// The level of the quoting enclave; nothing when its identity is missing, and then the quote is refused.
    pub enclave: Option<Status>,
    /// Every advisory of those levels.
    pub advisories: BTreeSet<String>,
    /// Since when the oldest of those levels has been the newest.
    pub tcb_date: Time,
    /// The smaller tcbEvaluationDataNumber of TCB info and QE identity.
    pub evaluation: u32,
    /// When the older of both was issued.
    pub issued: Time,
}

/// The security versions of a TD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TdSvn {
    /// TEE_TCB_SVN, at launch.
    pub launch: [u8; 16],
    /// TEE_TCB_SVN2, now; from TD report 1.5 on.
    pub current: Option<[u8; 16]>,
}

/// What no level of the collateral fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// The platform.
    Platform,
    /// The TDX module of a generation.
    Module(u8),
    /// The quoting enclave.
    Enclave,
}

impl Verdict {
    /// Finds the levels and merges them. Without an identity it is that of the platform alone: worth knowing, not enough.
    pub fn find(
        info: &TcbInfo,
        identity: Option<&EnclaveIdentity>,
        pck: &Pck,
        enclave_svn: u16,
        td: Option<TdSvn>,
    ) -> Result<Self, Unsupported> {
        let reached =
            |level: &&TcbLevel| reaches(&pck.components, &level.tcb.sgx) && pck.pce_svn >= level.tcb.pce;
        let sgx = info.tcb_levels.iter().find(reached).ok_or(Unsupported::Platform)?;
        let find = |identity: &EnclaveIdentity| find_level(&identity.tcb_levels, enclave_svn).cloned();
        let enclave = identity.map(|identity| find(identity).ok_or(Unsupported::Enclave)).transpose()?;
        let (evaluation, issued) = (info.tcb_evaluation_data_number, info.window().from);
        let mut verdict = Self {
            status: sgx.tcb_status,
            platform: sgx.tcb_status,
            module: None,
            enclave: enclave.as_ref().map(|level| level.tcb_status),
            advisories: BTreeSet::new(),
            tcb_date: sgx.tcb_date,
            evaluation: identity.map_or(evaluation, |other| evaluation.min(other.tcb_evaluation_data_number)),
            issued: identity.map_or(issued, |other| issued.min(other.window().from)),
        };
        let mut level = sgx;
        if let Some(td) = td {
            // Components 0 and 1 are version and generation of the module, and judged with its identity if it has one.
            let skip = if td.launch[1] > 0 { 2 } else { 0 };
            let fits = |level: &&TcbLevel| {
                reached(level) && level.tcb.tdx.is_some_and(|tdx| reaches(&td.launch[skip..], &tdx[skip..]))
            };
            level = info.tcb_levels.iter().find(fits).ok_or(Unsupported::Platform)?;
            verdict.platform = level.tcb_status;
            verdict.tcb_date = verdict.tcb_date.min(level.tcb_date);
            verdict.status = level.tcb_status;
            verdict.merge_module(info, &td, sgx)?;
        }
        verdict.advisories.extend(level.advisories.iter().cloned());
        if let Some(enclave) = enclave {
            verdict.status = verdict.status.converge(enclave.tcb_status);
            verdict.tcb_date = verdict.tcb_date.min(enclave.tcb_date);
            verdict.advisories.extend(enclave.advisories);
        }
        Ok(verdict)
    }

    fn merge_module(&mut self, info: &TcbInfo, td: &TdSvn, sgx: &TcbLevel) -> Result<(), Unsupported> {
        let generation = td.launch[1];
        let Module { levels, .. } = Module::find(info, generation).ok_or(Unsupported::Module(generation))?;
        let Some(levels) = levels else { return Ok(()) };
        let level = find_level(levels, td.launch[0].into()).ok_or(Unsupported::Module(generation))?;
        self.module = Some(level.tcb_status);
        self.tcb_date = self.tcb_date.min(level.tcb_date);
        self.advisories.extend(level.advisories.iter().cloned());
        self.status = self.status.converge(level.tcb_status);
        if let Some(current) = td.current.filter(|_| self.may_relaunch(sgx.tcb_status)) {
            let newest = newest(info, current).ok_or(Unsupported::Module(current[1]))?;
            if newest {
                let configure = sgx.tcb_status.configure() || self.status.configure();
                self.status = match configure {
                    true => Status::TdRelaunchAdvisedConfigurationNeeded,
                    false => Status::TdRelaunchAdvised,
                };
            }
        }
        Ok(())
    }

    /// Whether nothing but the TDX module of the launch is out of date.
    fn may_relaunch(&self, sgx: Status) -> bool {
        use Status::*;
        !matches!(self.enclave, Some(OutOfDate | Revoked))
            && matches!(
                sgx,
                UpToDate | SwHardeningNeeded | ConfigurationNeeded | ConfigurationAndSwHardeningNeeded
            )
            && matches!(self.status, OutOfDate | OutOfDateConfigurationNeeded)
            && self.module == Some(OutOfDate)
    }
}

/// What TCB info says of a generation of TDX modules.
#[derive(Clone, Copy, Debug)]
pub struct Module<'a> {
    /// Its signer and attributes.
    pub module: &'a TdxModule,
    /// Its levels; the first generation has none of its own.
    pub levels: Option<&'a [EnclaveLevel]>,
}

impl<'a> Module<'a> {
    /// Finds the generation; one above zero needs an identity.
    pub fn find(info: &'a TcbInfo, generation: u8) -> Option<Self> {
        if generation == 0 {
            return info.tdx_module.as_ref().map(|module| Self { module, levels: None });
        }
        let id = alloc::format!("TDX_{generation:02X}");
        let identity =
            info.tdx_module_identities.iter().find(|identity| identity.id.eq_ignore_ascii_case(&id));
        identity.map(|identity| Self { module: &identity.module, levels: Some(&identity.tcb_levels) })
    }
}

impl Status {
    /// Merges the status of a component into that of the platform: a component can only make it worse.
    pub fn converge(self, component: Self) -> Self {
        use Status::*;
        match (component, self) {
            (Revoked, _) => Revoked,
            (OutOfDate, UpToDate | SwHardeningNeeded) => OutOfDate,
            (OutOfDate, ConfigurationNeeded | ConfigurationAndSwHardeningNeeded) => {
                OutOfDateConfigurationNeeded
            }
            _ => self,
        }
    }

    /// The word that Intel uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::UpToDate => "UpToDate",
            Self::SwHardeningNeeded => "SWHardeningNeeded",
            Self::ConfigurationNeeded => "ConfigurationNeeded",
            Self::ConfigurationAndSwHardeningNeeded => "ConfigurationAndSWHardeningNeeded",
            Self::OutOfDate => "OutOfDate",
            Self::OutOfDateConfigurationNeeded => "OutOfDateConfigurationNeeded",
            Self::TdRelaunchAdvised => "TDRelaunchAdvised",
            Self::TdRelaunchAdvisedConfigurationNeeded => "TDRelaunchAdvisedConfigurationNeeded",
            Self::Revoked => "Revoked",
        }
    }

    fn configure(self) -> bool {
        matches!(
            self,
            Self::ConfigurationNeeded
                | Self::ConfigurationAndSwHardeningNeeded
                | Self::OutOfDateConfigurationNeeded
        )
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Status> for Value {
    fn from(status: Status) -> Self {
        status.name().into()
    }
}

/// The first level that a security version reaches.
fn find_level(levels: &[EnclaveLevel], svn: u16) -> Option<&EnclaveLevel> {
    levels.iter().find(|level| level.isvsvn() <= svn)
}

/// Whether the module that runs now is the newest, and so is the microcode of its level; nothing if it is not known.
fn newest(info: &TcbInfo, current: [u8; 16]) -> Option<bool> {
    let top = info.tcb_levels.first()?.tcb.tdx?;
    let module = match Module::find(info, current[1])?.levels {
        None => u16::from(top[0]),
        Some(levels) => levels.first()?.isvsvn(),
    };
    Some(u16::from(current[0]) >= module && current[2] >= top[2])
}

fn reaches(found: &[u8], needed: &[u8]) -> bool {
    found.iter().zip(needed).all(|(found, needed)| found >= needed)
}

#[cfg(test)]
mod tests {
    use super::Status::*;

    #[test]
    fn a_component_only_makes_it_worse() {
        for (platform, component, expected) in [
            (UpToDate, UpToDate, UpToDate),
            (SwHardeningNeeded, UpToDate, SwHardeningNeeded),
            (UpToDate, OutOfDate, OutOfDate),
            (SwHardeningNeeded, OutOfDate, OutOfDate),
            (ConfigurationNeeded, OutOfDate, OutOfDateConfigurationNeeded),
            (ConfigurationAndSwHardeningNeeded, OutOfDate, OutOfDateConfigurationNeeded),
            (OutOfDateConfigurationNeeded, OutOfDate, OutOfDateConfigurationNeeded),
            (TdRelaunchAdvised, OutOfDate, TdRelaunchAdvised),
            (UpToDate, Revoked, Revoked),
            (Revoked, UpToDate, Revoked),
        ] {
            assert_eq!(platform.converge(component), expected, "{platform} with {component}");
        }
    }
}
