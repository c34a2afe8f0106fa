//! The named bits of an SNP report.

use crate::policy::bits::flags;

flags! {
    /// POLICY: what the guest's owner allowed and demanded at launch (AMD #56860 section 4.3).
    GuestPolicy {
        /// SMT is allowed.
        Smt 16 "smt";
        /// A migration agent is allowed.
        MigrationAgent 18 "migration-agent";
        /// Debugging is allowed.
        Debug 19 "debug";
        /// The guest runs on one socket only.
        SingleSocket 20 "single-socket";
        /// CXL is allowed.
        Cxl 21 "cxl";
        /// Memory is encrypted with AES-256-XTS.
        Aes256Xts 22 "aes-256-xts";
        /// RAPL must be disabled.
        RaplDisabled 23 "rapl-disabled";
        /// Ciphertext hiding must be enabled.
        CiphertextHiding 24 "ciphertext-hiding";
        /// The host may not move or swap pages.
        PageSwapDisabled 25 "page-swap-disabled";
    }
}

/// The bits of POLICY that mean something: the flags, ABI_MINOR and ABI_MAJOR, and bit 17, which is always one.
pub const POLICY_KNOWN: u64 = GuestPolicy::KNOWN | 0x2_FFFF;

flags! {
    /// PLATFORM_INFO: how the host is set up (AMD #56860 section 7.3).
    PlatformInfo {
        /// SMT is enabled.
        Smt 0 "smt";
        /// Transparent memory encryption is enabled.
        Tsme 1 "tsme";
        /// Memory has error correction.
        Ecc 2 "ecc";
        /// RAPL is disabled.
        RaplDisabled 3 "rapl-disabled";
        /// Ciphertext hiding is enabled.
        CiphertextHiding 4 "ciphertext-hiding";
        /// Memory aliases were looked for and not found since the last reset (BadRAM, AMD-SB-3015).
        AliasCheckComplete 5 "alias-check-complete";
        /// Reserved in the manual, set by every Turin seen so far; one source calls it the IOMMU's write safety.
        Turin6 6 "bit-6";
        /// Trusted I/O is enabled.
        Tio 7 "tio";
    }
}
