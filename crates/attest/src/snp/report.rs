//! The attestation report (AMD #56860, rev 1.58, section 7.3, table ATTESTATION_REPORT).

use crate::cursor::{Cursor, Malformed, Problem};

/// The size of a report.
pub const SIZE: usize = 0x4A0;

/// How many of its bytes are signed.
pub const SIGNED: usize = 0x2A0;

/// A report of version 2 to 5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// VERSION.
    pub version: u32,
    /// GUEST_SVN.
    pub guest_svn: u32,
    /// POLICY, see section 4.3.
    pub policy: u64,
    /// FAMILY_ID.
    pub family_id: [u8; 16],
    /// IMAGE_ID.
    pub image_id: [u8; 16],
    /// VMPL; all ones when the host asked for the report.
    pub vmpl: u32,
    /// CURRENT_TCB.
    pub current_tcb: u64,
    /// PLATFORM_INFO.
    pub platform: u64,
    /// The flags at 0x48: AUTHOR_KEY_EN, MASK_CHIP_KEY, SIGNING_KEY.
    pub key_flags: u32,
    /// REPORT_DATA.
    pub report_data: [u8; 64],
    /// MEASUREMENT.
    pub measurement: [u8; 48],
    /// HOST_DATA.
    pub host_data: [u8; 32],
    /// ID_KEY_DIGEST.
    pub id_key_digest: [u8; 48],
    /// AUTHOR_KEY_DIGEST.
    pub author_key_digest: [u8; 48],
    /// REPORT_ID.
    pub report_id: [u8; 32],
    /// REPORT_ID_MA; all ones without a migration agent.
    pub report_id_ma: [u8; 32],
    /// REPORTED_TCB.
    pub reported_tcb: u64,
    /// CPUID family, model and stepping; from version 3.
    pub cpuid: Option<[u8; 3]>,
    /// CHIP_ID; zero when masked.
    pub chip_id: [u8; 64],
    /// COMMITTED_TCB.
    pub committed_tcb: u64,
    /// CURRENT_MAJOR, CURRENT_MINOR, CURRENT_BUILD.
    pub current_version: [u8; 3],
    /// COMMITTED_MAJOR, COMMITTED_MINOR, COMMITTED_BUILD.
    pub committed_version: [u8; 3],
    /// LAUNCH_TCB.
    pub launch_tcb: u64,
    /// LAUNCH_MIT_VECTOR and CURRENT_MIT_VECTOR; from version 5.
    pub mitigations: Option<[u64; 2]>,
    /// The signature as `r ‖ s`, big-endian.
    pub signature: [u8; 96],
}

impl Report {
    /// Decodes a report; unknown versions are refused, since their reserved fields may mean something.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut at = Cursor::new(bytes);
        let version = at.u32_le("report.version")?;
        if !(2..=5).contains(&version) {
            let problem = Problem::Unexpected { expected: "version 2 to 5", found: version.into() };
            return Err(Malformed { field: "report.version", offset: 0, problem });
        }
        let guest_svn = at.u32_le("report.guest_svn")?;
        let policy = at.u64_le("report.policy")?;
        let family_id = at.array("report.family_id")?;
        let image_id = at.array("report.image_id")?;
        let vmpl = at.u32_le("report.vmpl")?;
        let here = at;
        let algorithm = at.u32_le("report.signature_algo")?;
        if algorithm != 1 {
            let problem =
                Problem::Unexpected { expected: "ECDSA P-384 with SHA-384 (1)", found: algorithm.into() };
            return Err(here.error("report.signature_algo", problem));
        }
        let current_tcb = at.u64_le("report.current_tcb")?;
        let platform = at.u64_le("report.platform_info")?;
        let here = at;
        let key_flags = at.u32_le("report.key_flags")?;
        if key_flags >> 5 != 0 {
            return Err(here.error("report.key_flags", Problem::NotZero));
        }
        at.zeros("report.reserved_04c", 4)?;
        let report_data = at.array("report.report_data")?;
        let measurement = at.array("report.measurement")?;
        let host_data = at.array("report.host_data")?;
        let id_key_digest = at.array("report.id_key_digest")?;
        let author_key_digest = at.array("report.author_key_digest")?;
        let report_id = at.array("report.report_id")?;
        let report_id_ma = at.array("report.report_id_ma")?;
        let reported_tcb = at.u64_le("report.reported_tcb")?;
        let cpuid = match version {
            2 => {
                at.zeros("report.reserved_188", 3)?;
                None
            }
            _ => Some(at.array("report.cpuid")?),
        };
        at.zeros("report.reserved_18b", 0x1A0 - 0x18B)?;
        let chip_id = at.array("report.chip_id")?;
        let committed_tcb = at.u64_le("report.committed_tcb")?;
        let current_version = firmware(&mut at)?;
        let committed_version = firmware(&mut at)?;
        let launch_tcb = at.u64_le("report.launch_tcb")?;
        let mitigations = match version {
            5 => Some([at.u64_le("report.launch_mit_vector")?, at.u64_le("report.current_mit_vector")?]),
            _ => {
                at.zeros("report.reserved_1f8", 16)?;
                None
            }
        };
        at.zeros("report.reserved_208", SIGNED - 0x208)?;
        let signature = signature(&mut at)?;
        at.finish("report")?;
        Ok(Self {
            version,
            guest_svn,
            policy,
            family_id,
            image_id,
            vmpl,
            current_tcb,
            platform,
            key_flags,
            report_data,
            measurement,
            host_data,
            id_key_digest,
            author_key_digest,
            report_id,
            report_id_ma,
            reported_tcb,
            cpuid,
            chip_id,
            committed_tcb,
            current_version,
            committed_version,
            launch_tcb,
            mitigations,
            signature,
        })
    }

    /// POLICY.DEBUG, bit 19.
    pub fn debug(&self) -> bool {
        self.policy & 1 << 19 != 0
    }

    /// SIGNING_KEY, bits 4 to 2 of the key flags: 0 VCEK, 1 VLEK, 7 none.
    pub fn signing_key(&self) -> u32 {
        self.key_flags >> 2 & 7
    }

    /// Whether a migration agent is associated: allowed by POLICY bit 18 or present by REPORT_ID_MA.
    pub fn has_migration_agent(&self) -> bool {
        self.policy & 1 << 18 != 0 || self.report_id_ma != [0xFF; 32]
    }
}

/// Build, minor, major, reserved; as major, minor, build, so that versions compare.
fn firmware(at: &mut Cursor<'_>) -> Result<[u8; 3], Malformed> {
    let [build, minor, major] = at.array("report.firmware")?;
    at.zeros("report.firmware.reserved", 1)?;
    Ok([major, minor, build])
}

/// R and S in 72 bytes each, little-endian (#56860 chapter 10); P-384 fills 48, the rest is zero.
fn signature(at: &mut Cursor<'_>) -> Result<[u8; 96], Malformed> {
    let mut raw = [0; 96];
    for half in raw.chunks_exact_mut(48) {
        half.copy_from_slice(at.take("report.signature", 48)?);
        half.reverse();
        at.zeros("report.signature.reserved", 24)?;
    }
    at.zeros("report.signature.reserved", 512 - 144)?;
    Ok(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_versions_and_the_whole_length_decode() {
        fn check(version: u8, length: usize, good: bool) {
            let mut bytes = std::vec![0; length];
            bytes[0] = version;
            bytes[0x34] = 1;
            assert_eq!(Report::decode(&bytes).is_ok(), good, "version {version}, {length} bytes");
        }
        for version in 0..8 {
            check(version, SIZE, (2..=5).contains(&version));
            check(version, SIZE - 1, false);
            check(version, SIZE + 1, false);
        }
    }
}
