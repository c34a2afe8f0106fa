//! The documents that Intel signs: TCB info and the identities of enclaves (Intel SGX and TDX PCS API, version 4).

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::json::Signed;
use super::tcb::Status;
use crate::cursor::{Malformed, Problem};
use crate::policy::hex::Hex;
use crate::time::{Time, Window};

/// The most TCB levels of one list: platforms of 2018 have 18.
const MAX_LEVELS: usize = 256;

/// Decoded documents; proven when they are used. A copy shares them.
#[derive(Clone, Debug, Default)]
pub struct Collateral {
    tcb_infos: Vec<Arc<Signed<TcbInfo>>>,
    identities: Vec<Arc<Signed<EnclaveIdentity>>>,
}

/// What the security versions of one kind of platform are worth (get TCB info, appendix A, version 3; SGX also 2).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TcbInfo {
    /// SGX or TDX; version 2 is of SGX and does not say so.
    #[serde(default)]
    pub id: TcbInfoId,
    /// The version of the format.
    pub version: u32,
    issue_date: Time,
    next_update: Time,
    /// The kind of platform.
    pub fmspc: Hex<6>,
    /// The provisioning certification enclave.
    pub pce_id: Hex<2>,
    /// How levels are compared; 0 is the only way.
    pub tcb_type: u32,
    /// Grows with every TCB recovery.
    pub tcb_evaluation_data_number: u32,
    /// The TDX module of the first generation (major version 0).
    pub tdx_module: Option<TdxModule>,
    /// TDX modules of later generations.
    #[serde(default)]
    pub tdx_module_identities: Vec<TdxModuleIdentity>,
    /// Levels, the highest first.
    pub tcb_levels: Vec<TcbLevel>,
}

/// Which TEE a TCB info speaks of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TcbInfoId {
    /// SGX.
    #[default]
    Sgx,
    /// TDX.
    Tdx,
}

/// Who signed a TDX module, and with what attributes it runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TdxModule {
    /// MRSIGNERSEAM.
    pub mrsigner: Hex<48>,
    /// SEAMATTRIBUTES under the mask.
    pub attributes: Hex<8>,
    /// Which bits of SEAMATTRIBUTES are compared.
    pub attributes_mask: Hex<8>,
}

/// A generation of TDX modules and its levels.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TdxModuleIdentity {
    /// `TDX_` and the generation in two hexadecimal digits.
    pub id: String,
    /// Its signer and attributes.
    #[serde(flatten)]
    pub module: TdxModule,
    /// Levels by ISVSVN, the highest first.
    pub tcb_levels: Vec<EnclaveLevel>,
}

/// One level of a platform.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TcbLevel {
    /// The least security versions.
    pub tcb: Tcb,
    /// What it is worth.
    pub tcb_status: Status,
    /// Since when it has been the newest.
    pub tcb_date: Time,
    /// Why it is worth no more.
    #[serde(default, rename = "advisoryIDs")]
    pub advisories: Vec<String>,
}

/// Security versions of a platform.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tcb {
    /// The components of CPUSVN.
    pub sgx: [u8; 16],
    /// PCESVN.
    pub pce: u16,
    /// The components of TEE_TCB_SVN.
    pub tdx: Option<[u8; 16]>,
}

/// The identity of an enclave of Intel's (get QE identity, appendix B, version 2).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnclaveIdentity {
    /// Which enclave.
    pub id: EnclaveId,
    /// The version of the format.
    pub version: u32,
    issue_date: Time,
    next_update: Time,
    /// Grows with every TCB recovery.
    pub tcb_evaluation_data_number: u32,
    /// MISCSELECT under the mask, little-endian as in a report.
    pub miscselect: Hex<4>,
    /// Which bits of MISCSELECT are compared.
    pub miscselect_mask: Hex<4>,
    /// ATTRIBUTES under the mask.
    pub attributes: Hex<16>,
    /// Which bits of ATTRIBUTES are compared.
    pub attributes_mask: Hex<16>,
    /// MRSIGNER.
    pub mrsigner: Hex<32>,
    /// ISVPRODID.
    pub isvprodid: u16,
    /// Levels by ISVSVN, the highest first.
    pub tcb_levels: Vec<EnclaveLevel>,
}

/// Intel's enclaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum EnclaveId {
    /// The quoting enclave of SGX.
    #[serde(rename = "QE")]
    Qe,
    /// The quoting enclave of TDX.
    #[serde(rename = "TD_QE")]
    TdQe,
    /// The quote verification enclave, which has no part here.
    #[serde(rename = "QVE")]
    Qve,
}

/// One level of an enclave or a TDX module.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnclaveLevel {
    tcb: IsvSvn,
    /// What it is worth.
    pub tcb_status: Status,
    /// Since when it has been the newest.
    pub tcb_date: Time,
    /// Why it is worth no more.
    #[serde(default, rename = "advisoryIDs")]
    pub advisories: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct IsvSvn {
    isvsvn: u16,
}

impl Collateral {
    /// Adds a TCB info, as the PCS answers it.
    pub fn add_tcb_info(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let mut info: Signed<TcbInfo> = Signed::decode(bytes, "tcbInfo")?;
        info.content.check()?;
        // QVL keeps levels in a set ordered this way; PCS sends them so.
        info.content.tcb_levels.sort_by(|one, other| other.tcb.cmp(&one.tcb));
        self.tcb_infos.push(Arc::new(info));
        Ok(())
    }

    /// Adds the identity of an enclave, as the PCS answers it.
    pub fn add_identity(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let identity: Signed<EnclaveIdentity> = Signed::decode(bytes, "enclaveIdentity")?;
        identity.content.check()?;
        self.identities.push(Arc::new(identity));
        Ok(())
    }

    /// Every TCB info.
    pub fn tcb_infos(&self) -> impl Iterator<Item = &Signed<TcbInfo>> {
        self.tcb_infos.iter().map(Arc::as_ref)
    }

    /// Every identity.
    pub fn identities(&self) -> impl Iterator<Item = &Signed<EnclaveIdentity>> {
        self.identities.iter().map(Arc::as_ref)
    }
}

impl TcbInfo {
    /// issueDate to nextUpdate.
    pub fn window(&self) -> Window {
        Window { from: self.issue_date, to: self.next_update }
    }

    fn check(&self) -> Result<(), Malformed> {
        version("tcbInfo.version", self.version, if self.id == TcbInfoId::Sgx { 2..=3 } else { 3..=3 })?;
        version("tcbInfo.tcbType", self.tcb_type, 0..=0)?;
        let lists = self.tdx_module_identities.iter().map(|identity| identity.tcb_levels.len());
        lists.chain([self.tcb_levels.len()]).try_for_each(|found| levels("tcbInfo.tcbLevels", found))?;
        let complete = self.id == TcbInfoId::Sgx
            || self.tdx_module.is_some() && self.tcb_levels.iter().all(|level| level.tcb.tdx.is_some());
        match complete {
            true => Ok(()),
            false => Err(Malformed { field: "tcbInfo.tdx", offset: 0, problem: Problem::Missing }),
        }
    }
}

impl EnclaveIdentity {
    /// issueDate to nextUpdate.
    pub fn window(&self) -> Window {
        Window { from: self.issue_date, to: self.next_update }
    }

    fn check(&self) -> Result<(), Malformed> {
        version("enclaveIdentity.version", self.version, 2..=2)?;
        levels("enclaveIdentity.tcbLevels", self.tcb_levels.len())
    }
}

impl EnclaveLevel {
    /// The least ISVSVN.
    pub fn isvsvn(&self) -> u16 {
        self.tcb.isvsvn
    }
}

fn version(field: &'static str, found: u32, known: core::ops::RangeInclusive<u32>) -> Result<(), Malformed> {
    let problem = Problem::Unexpected { expected: "a version that is known", found: found.into() };
    known.contains(&found).then_some(()).ok_or(Malformed { field, offset: 0, problem })
}

fn levels(field: &'static str, found: usize) -> Result<(), Malformed> {
    let problem = Problem::TooLong { limit: MAX_LEVELS, found };
    (found <= MAX_LEVELS).then_some(()).ok_or(Malformed { field, offset: 0, problem })
}

#[derive(Clone, Copy, Deserialize)]
struct Component {
    svn: u8,
}

impl<'de> Deserialize<'de> for Tcb {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TcbVisitor)
    }
}

/// Reads lists of components (version 3), or one member for each component (version 2).
struct TcbVisitor;

impl<'de> Visitor<'de> for TcbVisitor {
    type Value = Tcb;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("security versions")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tcb, A::Error> {
        let (mut sgx, mut pce, mut tdx) = ([None; 16], None, None);
        while let Some(key) = map.next_key::<String>()? {
            let numbered = key.strip_prefix("sgxtcbcomp").and_then(|rest| rest.strip_suffix("svn"));
            let component = numbered.and_then(|digits| digits.parse::<usize>().ok());
            match (key.as_str(), component) {
                ("pcesvn", _) => pce = Some(map.next_value()?),
                ("sgxtcbcomponents", _) => {
                    sgx = map.next_value::<[Component; 16]>()?.map(|component| Some(component.svn));
                }
                ("tdxtcbcomponents", _) => {
                    tdx = Some(map.next_value::<[Component; 16]>()?.map(|component| component.svn));
                }
                (_, Some(number @ 1..=16)) => sgx[number - 1] = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let missing = || A::Error::custom("a security version is missing");
        let mut tcb = Tcb { pce: pce.ok_or_else(missing)?, tdx, ..Tcb::default() };
        for (svn, found) in tcb.sgx.iter_mut().zip(sgx) {
            *svn = found.ok_or_else(missing)?;
        }
        Ok(tcb)
    }
}
