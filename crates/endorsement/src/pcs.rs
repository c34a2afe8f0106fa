//! Intel's Provisioning Certification Service, API version 4, or a PCCS: a cache of it in one's own network.

use crate::{Kind, Wanted};

/// Intel's own service.
pub const INTEL: &str = "https://api.trustedservices.intel.com";

/// Where Intel publishes the revocation list of its root; a PCCS has it under its own address.
pub const INTEL_ROOT_CRL: &str = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";

/// Which TCB recovery to be judged by: Intel announces new levels some time before platforms must have them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Update {
    /// The levels that platforms must have by now.
    #[default]
    Standard,
    /// The newest.
    Early,
}

/// The environment that collateral is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// SGX.
    Sgx,
    /// TDX.
    Tdx,
}

impl Environment {
    fn id(self) -> &'static str {
        match self {
            Self::Sgx => "sgx",
            Self::Tdx => "tdx",
        }
    }
}

/// What is the same for every platform: the lists of the root and of both PCK authorities.
pub fn lists(base: &str) -> Vec<Wanted> {
    let root = match base {
        INTEL => INTEL_ROOT_CRL.to_owned(),
        pccs => format!("{pccs}/sgx/certification/v4/rootcacrl"),
    };
    let root = wanted("intel-root.crl".to_owned(), root, Kind::Crl, None);
    let pck = |ca: &str| {
        wanted(
            format!("intel-pck-{ca}.crl"),
            format!("{base}/sgx/certification/v4/pckcrl?ca={ca}&encoding=der"),
            Kind::Crl,
            Some("SGX-PCK-CRL-Issuer-Chain"),
        )
    };
    vec![root, pck("platform"), pck("processor")]
}

/// The identity of the quoting enclave.
pub fn qe_identity(base: &str, environment: Environment, update: Update) -> Wanted {
    let (id, update) = (environment.id(), update.id());
    wanted(
        format!("intel-{id}-qe-{update}.json"),
        format!("{base}/{id}/certification/v4/qe/identity?update={update}"),
        Kind::QeIdentity,
        Some("SGX-Enclave-Identity-Issuer-Chain"),
    )
}

/// The TCB info of a family of platforms.
pub fn tcb_info(base: &str, environment: Environment, fmspc: &[u8; 6], update: Update) -> Wanted {
    let (id, update) = (environment.id(), update.id());
    let fmspc: String = fmspc.iter().map(|byte| format!("{byte:02x}")).collect();
    wanted(
        format!("intel-{id}-tcb-{fmspc}-{update}.json"),
        format!("{base}/{id}/certification/v4/tcb?fmspc={fmspc}&update={update}"),
        Kind::TcbInfo,
        Some("TCB-Info-Issuer-Chain"),
    )
}

fn wanted(name: String, url: String, kind: Kind, chain_header: Option<&'static str>) -> Wanted {
    Wanted { name, origin: url.clone(), url, kind, chain_header }
}

impl Update {
    fn id(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Early => "early",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_the_service() {
        fn check(wanted: &Wanted, url: &str) {
            assert_eq!(wanted.url, url);
        }
        check(&lists(INTEL)[0], INTEL_ROOT_CRL);
        check(&lists("http://pccs")[0], "http://pccs/sgx/certification/v4/rootcacrl");
        check(&lists("x")[1], "x/sgx/certification/v4/pckcrl?ca=platform&encoding=der");
        let identity = qe_identity("x", Environment::Tdx, Update::Early);
        check(&identity, "x/tdx/certification/v4/qe/identity?update=early");
        let info = tcb_info("x", Environment::Sgx, &[0, 0x60, 0x6A, 0, 0, 0], Update::Standard);
        check(&info, "x/sgx/certification/v4/tcb?fmspc=00606a000000&update=standard");
    }
}
