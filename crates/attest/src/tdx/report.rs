//! What the TDX module says of a TD (TDX DCAP Quoting Library API, appendix A.3.2; TDX module 1.5 ABI, TDINFO and TDREPORT).

use alloc::boxed::Box;

use crate::cursor::{Cursor, Malformed};

/// TUD, bits 7 to 0 of TDATTRIBUTES: any of them lets the host look inside (TDX module ABI, TD_ATTRIBUTES; bit 0 DEBUG).
pub const UNTRUSTED: u64 = 0xFF;

/// The forms of the body, by their number in a quote of version 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// TD report 1.0.
    V1_0,
    /// TD report 1.5.
    V1_5,
    /// TD report 1.5 with identities of service TDs and of the platform at launch.
    V1_5Extended,
}

/// A TD's report, of any form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// TEE_TCB_SVN, of the launch.
    pub tee_tcb_svn: [u8; 16],
    /// MRSEAM, the measurement of the TDX module.
    pub mr_seam: [u8; 48],
    /// MRSIGNERSEAM; zero for Intel's module.
    pub mr_signer_seam: [u8; 48],
    /// SEAMATTRIBUTES.
    pub seam_attributes: [u8; 8],
    /// TDATTRIBUTES.
    pub td_attributes: u64,
    /// XFAM.
    pub xfam: u64,
    /// MRTD.
    pub mr_td: [u8; 48],
    /// MRCONFIGID, chosen by who launches the TD.
    pub mr_config_id: [u8; 48],
    /// MROWNER.
    pub mr_owner: [u8; 48],
    /// MROWNERCONFIG.
    pub mr_owner_config: [u8; 48],
    /// RTMR0 to RTMR3.
    pub rtmr: [[u8; 48]; 4],
    /// REPORTDATA.
    pub report_data: [u8; 64],
    /// From TD report 1.5 on.
    pub extended: Option<Box<Extended>>,
}

/// What TD report 1.5 adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extended {
    /// TEE_TCB_SVN2, of the module that runs now.
    pub tee_tcb_svn2: [u8; 16],
    /// MRSERVICETD; zero when no service TD is bound.
    pub mr_service_td: [u8; 48],
    /// What the extended form of 1.5 adds.
    pub history: Option<History>,
}

/// Where a TD comes from: the platform of its launch, and the service TDs then and now. All signed, none judged: a policy
/// decides on service TDs by MRSERVICETD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The L2 VM that asked for the report.
    pub vm_id: u8,
    /// The TD's id.
    pub td_id: [u8; 32],
    /// What devices are bound.
    pub devices: [u8; 48],
    /// The service TDs at launch: hash and attributes.
    pub launch_service_td: ([u8; 48], u64),
    /// CPUSVN at launch.
    pub launch_cpu_svn: [u8; 16],
    /// TEE_TCB_SVN at launch.
    pub launch_tee_tcb_svn: [u8; 16],
    /// FMSPC and more of the platform at launch.
    pub launch_fmspc: [u8; 12],
    /// The service TDs now: hash and attributes.
    pub current_service_td: ([u8; 48], u64),
}

impl Form {
    /// The form with this number.
    pub fn of(kind: u16) -> Option<Self> {
        match kind {
            2 => Some(Self::V1_0),
            3 => Some(Self::V1_5),
            4 => Some(Self::V1_5Extended),
            _ => None,
        }
    }

    /// The size of the body.
    pub fn size(self) -> u32 {
        match self {
            Self::V1_0 => 584,
            Self::V1_5 => 648,
            Self::V1_5Extended => 885,
        }
    }
}

impl Report {
    /// Reads the body of one form.
    pub fn read(form: Form, at: &mut Cursor<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            tee_tcb_svn: at.array("td.teeTcbSvn")?,
            mr_seam: at.array("td.mrSeam")?,
            mr_signer_seam: at.array("td.mrSignerSeam")?,
            seam_attributes: at.array("td.seamAttributes")?,
            td_attributes: at.u64_le("td.attributes")?,
            xfam: at.u64_le("td.xfam")?,
            mr_td: at.array("td.mrTd")?,
            mr_config_id: at.array("td.mrConfigId")?,
            mr_owner: at.array("td.mrOwner")?,
            mr_owner_config: at.array("td.mrOwnerConfig")?,
            rtmr: [
                at.array("td.rtmr0")?,
                at.array("td.rtmr1")?,
                at.array("td.rtmr2")?,
                at.array("td.rtmr3")?,
            ],
            report_data: at.array("td.reportData")?,
            extended: match form {
                Form::V1_0 => None,
                Form::V1_5 | Form::V1_5Extended => Some(Box::new(Extended::read(form, at)?)),
            },
        })
    }
}

impl Extended {
    fn read(form: Form, at: &mut Cursor<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            tee_tcb_svn2: at.array("td.teeTcbSvn2")?,
            mr_service_td: at.array("td.mrServiceTd")?,
            history: match form {
                Form::V1_5Extended => Some(History::read(at)?),
                _ => None,
            },
        })
    }
}

impl History {
    fn read(at: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let vm_id = at.u8("td.vmId")?;
        let td_id = at.array("td.tdId")?;
        let devices = at.array("td.devices")?;
        let launch_service_td = (at.array("td.launchServiceTd")?, at.u64_le("td.launchServiceTd")?);
        let launch_cpu_svn = at.array("td.launchCpuSvn")?;
        let launch_tee_tcb_svn = at.array("td.launchTeeTcbSvn")?;
        let launch_fmspc = at.array("td.launchFmspc")?;
        let current_service_td = (at.array("td.serviceTd")?, at.u64_le("td.serviceTd")?);
        Ok(Self {
            vm_id,
            td_id,
            devices,
            launch_service_td,
            launch_cpu_svn,
            launch_tee_tcb_svn,
            launch_fmspc,
            current_service_td,
        })
    }
}
