//! The attestation report (AMD #56860, rev 1.58, section 7.3, table ATTESTATION_REPORT).

use alloc::vec::Vec;
use core::ops::{Range, RangeInclusive};

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
    /// The reserved fields that are not zero, by name.
    pub reserved: Vec<&'static str>,
}

impl Report {
    /// Decodes a report; unknown versions are refused, since their reserved fields may mean something.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let b = whole(bytes)?;
        let version = u32(field::<0x00, _>(b));
        let at = |offset| Cursor::at(&bytes[offset..], offset);
        if !(2..=5).contains(&version) {
            let expected = "version 2 to 5 (newer firmware needs a newer verifier)";
            let problem = Problem::Unexpected { expected, found: version.into() };
            return Err(at(0).error("report.version", problem));
        }
        let algorithm = u32(field::<0x34, _>(b));
        if algorithm != 1 {
            let expected = "ECDSA P-384 with SHA-384 (1)";
            let problem = Problem::Unexpected { expected, found: algorithm.into() };
            return Err(at(0x34).error("report.signature_algo", problem));
        }
        Ok(Self {
            version,
            guest_svn: u32(field::<0x04, _>(b)),
            policy: u64(field::<0x08, _>(b)),
            family_id: field::<0x10, _>(b),
            image_id: field::<0x20, _>(b),
            vmpl: u32(field::<0x30, _>(b)),
            current_tcb: u64(field::<0x38, _>(b)),
            platform: u64(field::<0x40, _>(b)),
            key_flags: u32(field::<0x48, _>(b)),
            report_data: field::<0x50, _>(b),
            measurement: field::<0x90, _>(b),
            host_data: field::<0xC0, _>(b),
            id_key_digest: field::<0xE0, _>(b),
            author_key_digest: field::<0x110, _>(b),
            report_id: field::<0x140, _>(b),
            report_id_ma: field::<0x160, _>(b),
            reported_tcb: u64(field::<0x180, _>(b)),
            cpuid: (version > 2).then(|| field::<0x188, _>(b)),
            chip_id: field::<0x1A0, _>(b),
            committed_tcb: u64(field::<0x1E0, _>(b)),
            current_version: firmware(field::<0x1E8, _>(b)),
            committed_version: firmware(field::<0x1EC, _>(b)),
            launch_tcb: u64(field::<0x1F0, _>(b)),
            mitigations: (version > 4).then(|| [u64(field::<0x1F8, _>(b)), u64(field::<0x200, _>(b))]),
            signature: signature(b),
            reserved: reserved(b, version),
        })
    }

    /// POLICY.DEBUG, bit 19.
    pub fn debug(&self) -> bool {
        self.policy & 1 << 19 != 0
    }

    /// The ABI version that the guest demands of the firmware: ABI_MAJOR and ABI_MINOR of POLICY.
    pub fn abi(&self) -> [u8; 2] {
        let [minor, major, ..] = self.policy.to_le_bytes();
        [major, minor]
    }

    /// AUTHOR_KEY_EN, bit 0 of the key flags: AUTHOR_KEY_DIGEST says something.
    pub fn has_author_key(&self) -> bool {
        self.key_flags & 1 != 0
    }

    /// MASK_CHIP_KEY, bit 1 of the key flags: the firmware did not sign.
    pub fn is_unsigned(&self) -> bool {
        self.key_flags & 2 != 0
    }

    /// Whether the host hides CHIP_ID.
    pub fn masks_chip(&self) -> bool {
        self.chip_id == [0; 64]
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

/// The report's bytes, all of them and no more.
fn whole(bytes: &[u8]) -> Result<&[u8; SIZE], Malformed> {
    bytes.try_into().map_err(|_| {
        let problem = match bytes.len().checked_sub(SIZE) {
            Some(left) => Problem::Trailing { left },
            None => Problem::Truncated { needed: SIZE, left: bytes.len() },
        };
        Malformed { field: "report", offset: bytes.len().min(SIZE), problem }
    })
}

/// `N` bytes from offset `AT`; that they lie inside is known when this is compiled.
fn field<const AT: usize, const N: usize>(bytes: &[u8; SIZE]) -> [u8; N] {
    const { assert!(AT + N <= SIZE) };
    let mut field = [0; N];
    field.copy_from_slice(&bytes[AT..AT + N]);
    field
}

fn u32(bytes: [u8; 4]) -> u32 {
    u32::from_le_bytes(bytes)
}

fn u64(bytes: [u8; 8]) -> u64 {
    u64::from_le_bytes(bytes)
}

/// Build, minor, major, reserved; as major, minor, build, so that versions compare.
fn firmware([build, minor, major, _]: [u8; 4]) -> [u8; 3] {
    [major, minor, build]
}

/// R and S in 72 bytes each, little-endian (#56860 chapter 10); P-384 fills 48, the rest is reserved.
fn signature(bytes: &[u8; SIZE]) -> [u8; 96] {
    let mut raw = [0; 96];
    raw[..48].copy_from_slice(&field::<0x2A0, 48>(bytes));
    raw[48..].copy_from_slice(&field::<0x2E8, 48>(bytes));
    raw.chunks_exact_mut(48).for_each(<[u8]>::reverse);
    raw
}

/// The reserved fields that are not zero. Those after the signed part matter most: anybody could change them.
fn reserved(bytes: &[u8; SIZE], version: u32) -> Vec<&'static str> {
    let set = RESERVED.iter().filter(|(_, versions, range)| {
        versions.contains(&version) && bytes[range.clone()].iter().any(|&byte| byte != 0)
    });
    let flags = (u32(field::<0x48, _>(bytes)) >> 5 != 0).then_some("key flags, bits 31 to 5");
    set.map(|&(name, ..)| name).chain(flags).collect()
}

/// Name, the versions that reserve it, where it stands.
const RESERVED: &[(&str, RangeInclusive<u32>, Range<usize>)] = &[
    ("0x4C..0x50", 2..=5, 0x4C..0x50),
    // CPUID from version 3 on.
    ("0x188..0x18B", 2..=2, 0x188..0x18B),
    ("0x18B..0x1A0", 2..=5, 0x18B..0x1A0),
    ("0x1EB", 2..=5, 0x1EB..0x1EC),
    ("0x1EF", 2..=5, 0x1EF..0x1F0),
    // Mitigation vectors from version 5 on.
    ("0x1F8..0x208", 2..=4, 0x1F8..0x208),
    ("0x208..0x2A0", 2..=5, 0x208..0x2A0),
    ("padding of R", 2..=5, 0x2D0..0x2E8),
    ("padding of S", 2..=5, 0x318..0x330),
    ("padding of the signature", 2..=5, 0x330..SIZE),
];

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
