//! The named bits of an enclave's report.

use crate::policy::bits::flags;

flags! {
    /// ATTRIBUTES.FLAGS (SDM volume 3D, section 37.7.1, table 37-3).
    Attribute {
        /// The enclave was initialized.
        Init 0 "init";
        /// The host can look inside.
        Debug 1 "debug";
        /// The enclave runs in 64-bit mode.
        Mode64Bit 2 "mode64bit";
        /// The provisioning key is available.
        ProvisionKey 4 "provision-key";
        /// The key of launch tokens is available.
        EinitTokenKey 5 "einittoken-key";
        /// Control-flow enforcement.
        Cet 6 "cet";
        /// Key separation and sharing.
        Kss 7 "kss";
        /// The enclave is told of asynchronous exits.
        AexNotify 10 "aex-notify";
    }
}
