//! The report of an SGX enclave (Intel SDM volume 3D, section 39.15, REPORT; DCAP API reference, appendix A.4, table 5).

use crate::cursor::{Cursor, Malformed};

/// The size of the body of a report.
pub const SIZE: usize = 384;

/// ATTRIBUTES.DEBUG.
pub const DEBUG: u64 = 1 << 1;

/// What the processor says of an enclave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// CPUSVN.
    pub cpu_svn: [u8; 16],
    /// MISCSELECT.
    pub misc_select: u32,
    /// ISVEXTPRODID; zero without KSS.
    pub extended_product_id: [u8; 16],
    /// ATTRIBUTES.FLAGS.
    pub flags: u64,
    /// ATTRIBUTES.XFRM.
    pub xfrm: u64,
    /// MRENCLAVE.
    pub mr_enclave: [u8; 32],
    /// MRSIGNER.
    pub mr_signer: [u8; 32],
    /// CONFIGID, chosen by who launches the enclave; zero without KSS.
    pub config_id: [u8; 64],
    /// ISVPRODID.
    pub product_id: u16,
    /// ISVSVN.
    pub svn: u16,
    /// CONFIGSVN; zero without KSS.
    pub config_svn: u16,
    /// ISVFAMILYID; zero without KSS.
    pub family_id: [u8; 16],
    /// REPORTDATA.
    pub report_data: [u8; 64],
}

impl Report {
    /// Reads a report's body; what the processor leaves zero must be zero.
    pub fn read(at: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let cpu_svn = at.array("enclave.cpusvn")?;
        let misc_select = at.u32_le("enclave.miscselect")?;
        at.zeros("enclave.reserved_020", 12)?;
        let extended_product_id = at.array("enclave.isvextprodid")?;
        let flags = at.u64_le("enclave.attributes.flags")?;
        let xfrm = at.u64_le("enclave.attributes.xfrm")?;
        let mr_enclave = at.array("enclave.mrenclave")?;
        at.zeros("enclave.reserved_096", 32)?;
        let mr_signer = at.array("enclave.mrsigner")?;
        at.zeros("enclave.reserved_160", 32)?;
        let config_id = at.array("enclave.configid")?;
        let product_id = at.u16_le("enclave.isvprodid")?;
        let svn = at.u16_le("enclave.isvsvn")?;
        let config_svn = at.u16_le("enclave.configsvn")?;
        at.zeros("enclave.reserved_262", 42)?;
        let family_id = at.array("enclave.isvfamilyid")?;
        let report_data = at.array("enclave.reportdata")?;
        Ok(Self {
            cpu_svn,
            misc_select,
            extended_product_id,
            flags,
            xfrm,
            mr_enclave,
            mr_signer,
            config_id,
            product_id,
            svn,
            config_svn,
            family_id,
            report_data,
        })
    }

    /// ATTRIBUTES as it stands in the report.
    pub fn attributes(&self) -> [u8; 16] {
        let mut attributes = [0; 16];
        attributes[..8].copy_from_slice(&self.flags.to_le_bytes());
        attributes[8..].copy_from_slice(&self.xfrm.to_le_bytes());
        attributes
    }
}
