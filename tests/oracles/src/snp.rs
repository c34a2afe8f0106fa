//! SEV-SNP: our verifier and crate `sev`, on the same bytes.

use std::path::Path;

use attest::appraise::appraise;
use attest::endorsements::Endorsements;
use attest::evidence::Evidence;
use attest::policy::Policy;
use attest::reason::Rejection;
use attest::reference::ReferenceValues;
use attest::time::Time;
use sev::certs::snp::{Certificate, Chain, Verifiable, ca};
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser;

/// Folder, VEK, line, and when to judge.
pub const CASES: [(&str, &str, &str, &str); 12] = [
    ("milan-v2-steward-csr", "vcek", "milan-ask", "2022-12-01T00:00:00Z"),
    ("milan-v2-virtee", "vcek", "milan-ask", "2023-05-01T00:00:00Z"),
    ("milan-v2-azure", "vcek", "milan-ask", "2023-05-01T00:00:00Z"),
    ("milan-v3-vlek-aws", "vlek", "milan-asvk", "2025-06-01T00:00:00Z"),
    ("milan-v3-microsoft", "vcek", "milan-ask", "2026-10-18T17:52:33Z"),
    ("milan-v3-dstack", "vcek", "milan-ask", "2027-02-27T17:53:04Z"),
    ("genoa-v3-configfs-tsm", "vcek", "genoa-ask", "2026-01-01T11:19:36Z"),
    ("genoa-v5-oak", "vcek", "genoa-ask", "2026-04-20T10:09:41Z"),
    ("bergamo-siena-v5", "vcek", "genoa-ask", "2026-10-31T15:49:36Z"),
    ("turin-v5-oak", "vcek", "turin-ask", "2026-03-30T09:52:46Z"),
    ("milan-v3-oak-release", "vcek", "milan-ask", "2025-09-28T11:45:54Z"),
    ("milan-v3-oak-rk-release", "vcek", "milan-ask", "2025-09-28T13:28:19Z"),
];

/// Everything that `sev` does not check is excused, as far as a policy can.
const LENIENT: &str = "revocation.required = false\nfreshness.binding_required = false\naccept.debug = true\n\
    [snp]\nmaximum_vmpl = 3\nmasked_chip = true\nmigration_agent = true\nguest_policy.unknown = \"note\"\n\
    platform_info.unknown = \"note\"\n";

/// One piece of evidence with its chain.
pub struct Case {
    pub name: &'static str,
    pub report: Vec<u8>,
    pub vek: Vec<u8>,
    pub ask: Vec<u8>,
    pub ark: Vec<u8>,
    pub now: Time,
    pub policy: Policy,
}

impl Case {
    pub fn load(vectors: &Path, (name, vek, ask, at): (&'static str, &str, &str, &str)) -> Self {
        let root = |name: &str| crate::read(&vectors.join("_roots").join(format!("{name}.der")));
        let line = ask.split('-').next().expect("line");
        Self {
            name,
            report: crate::read(&vectors.join(name).join("report.bin")),
            vek: crate::read(&vectors.join(name).join(format!("{vek}.der"))),
            ask: root(ask),
            ark: root(&format!("{line}-ark")),
            now: Time::from_rfc3339(at).expect("valid"),
            policy: Policy::from_toml(LENIENT).expect("valid"),
        }
    }

    pub fn endorsements(&self) -> Endorsements {
        let mut endorsements = Endorsements::shipped().expect("shipped certificates decode");
        endorsements.add_certificate(&self.vek).expect("VEK decodes");
        endorsements
    }

    pub fn ours(&self, endorsements: &Endorsements, report: &[u8]) -> Result<(), Rejection> {
        let evidence = Evidence::decode(report)?;
        appraise(&evidence, endorsements, &ReferenceValues::default(), &self.policy, self.now).map(|_| ())
    }

    /// The chain as `sev` has it; a service would keep it, decoded.
    pub fn chain(&self) -> std::io::Result<Chain> {
        let ca = ca::Chain { ark: Certificate::from_der(&self.ark)?, ask: Certificate::from_der(&self.ask)? };
        Ok(Chain { ca, vek: Certificate::from_der(&self.vek)? })
    }

    /// Decodes the report and verifies it under the chain.
    pub fn sev(chain: &Chain, report: &[u8]) -> std::io::Result<()> {
        (chain, &AttestationReport::from_bytes(report)?).verify()
    }

    /// Decodes the report and verifies it under the VEK alone: what `sev` does for a chain that it has seen.
    pub fn sev_warm(chain: &Chain, report: &[u8]) -> std::io::Result<()> {
        (&chain.vek, &AttestationReport::from_bytes(report)?).verify()
    }
}
