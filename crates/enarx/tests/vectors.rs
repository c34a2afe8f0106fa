//! Every piece of evidence of the shared vectors, judged by `enarx verify` as its index says, at the time that it says.
#![expect(clippy::unwrap_used, reason = "what helpers of tests cannot do fails the test")]

#[expect(dead_code, reason = "other users read files")]
#[path = "../../attest/tests/support/vectors.rs"]
mod vectors;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Nothing is expected of the report data; lists of the time are not among the vectors, except Intel's.
const LISTS: &str = "[freshness]\nbinding_required = false\n[accept]\nlegacy_enarx = true\n";
const NO_LISTS: &str = "[revocation]\nrequired = false\n";
const AWS: &str = "[snp]\nmaximum_vmpl = 1\nmasked_chip = true\ncsp = [\"CN=cc-us-east-2.amazonaws.com\"]\n";
/// The published keys of Arm CCA's models.
const MODELS: &str = "development_roots = [\"9bdb470456c7c1348349e88f38540f43e7a7993ac32e9c9a0b3c8d8733cc63f0\", \
    \"90c71e80304f98d6556a402c0593b33a80acbd08e4aff9c4029f6e17e1039951\"]\n";
const ANY: &str = "[sgx]\ntcb.any_status = true\n[tdx]\ntcb.any_status = true\n";

/// Files, policy, time, exit code, and what is said.
type Row = (&'static [&'static str], Rules, &'static str, i32, &'static str);

/// A policy of this test.
#[derive(Clone, Copy, Debug)]
enum Rules {
    Lists,
    NoLists,
    Aws,
    Models,
    AnyStatus,
}
use Rules::{AnyStatus, Aws, Lists, Models, NoLists};

const SNP: &[Row] = &[
    (&["snp/milan-v2-steward-csr/request.csr"], Lists, "2022-12-01T00:00:00Z", 0, "AMD SEV-SNP"),
    (&["snp/milan-v2-steward-csr/request.csr"], Lists, "2024-06-01T00:00:00Z", 14, "crl.stale"),
    (
        &[
            "snp/milan-v2-virtee/report.bin",
            "snp/milan-v2-virtee/vcek.der",
            "snp/_roots/milan-2022-05-09.crl.der",
        ],
        Lists,
        "2023-05-01T00:00:00Z",
        0,
        "accepted",
    ),
    (
        &[
            "snp/milan-v2-azure/report.bin",
            "snp/milan-v2-azure/vcek.der",
            "snp/_roots/milan-2022-05-09.crl.der",
        ],
        Lists,
        "2023-05-01T00:00:00Z",
        0,
        "accepted",
    ),
    (
        &["snp/milan-v3-vlek-aws/report.bin", "snp/milan-v3-vlek-aws/vlek.der"],
        Aws,
        "2025-06-01T00:00:00Z",
        0,
        "accepted",
    ),
    (
        &["snp/milan-v3-vlek-aws/report.bin", "snp/milan-v3-vlek-aws/vlek.der"],
        Aws,
        "2026-01-01T00:00:00Z",
        14,
        "chain.validity",
    ),
    (
        &["snp/milan-v3-vlek-aws/report.bin", "snp/milan-v3-vlek-aws/vlek.der"],
        NoLists,
        "2025-06-01T00:00:00Z",
        16,
        "snp.vmpl",
    ),
    (
        &["snp/milan-v3-microsoft/report.bin", "snp/milan-v3-microsoft/vcek.der"],
        NoLists,
        "2026-10-18T17:52:33Z",
        0,
        "",
    ),
    (
        &["snp/milan-v3-microsoft/report.bin", "snp/milan-v3-microsoft/vcek-issued-2025-12-29.der"],
        NoLists,
        "2026-10-18T17:52:33Z",
        0,
        "accepted",
    ),
    (
        &["snp/milan-v3-dstack/report.bin", "snp/milan-v3-dstack/vcek.der"],
        NoLists,
        "2027-02-27T17:53:04Z",
        0,
        "accepted",
    ),
    (
        &["snp/genoa-v3-configfs-tsm/report.bin", "snp/genoa-v3-configfs-tsm/vcek.der"],
        NoLists,
        "2026-01-01T11:19:36Z",
        0,
        "accepted",
    ),
    (
        &["snp/genoa-v3-configfs-tsm/sevsnp-tsm-report.json"],
        NoLists,
        "2026-01-01T11:19:36Z",
        0,
        "configfs-tsm report",
    ),
    (
        &["snp/genoa-v3-configfs-tsm/sevsnp-tsm-report.cbor"],
        NoLists,
        "2026-01-01T11:19:36Z",
        0,
        "configfs-tsm report",
    ),
    (
        &["snp/genoa-v5-oak/report.bin", "snp/genoa-v5-oak/vcek.der"],
        NoLists,
        "2026-04-20T10:09:41Z",
        0,
        "accepted",
    ),
    (
        &["snp/bergamo-siena-v5/report.bin", "snp/bergamo-siena-v5/vcek.der"],
        NoLists,
        "2026-10-31T15:49:36Z",
        0,
        "accepted",
    ),
    (
        &["snp/turin-v5-oak/report.bin", "snp/turin-v5-oak/vcek.der"],
        NoLists,
        "2026-03-30T09:52:46Z",
        0,
        "accepted",
    ),
    (
        &["snp/milan-v3-oak-release/report.bin", "snp/milan-v3-oak-release/vcek.der"],
        NoLists,
        "2025-09-28T11:45:54Z",
        0,
        "",
    ),
    (
        &["snp/milan-v3-oak-rk-release/report.bin", "snp/milan-v3-oak-rk-release/vcek.der"],
        NoLists,
        "2025-09-28T13:28:19Z",
        0,
        "accepted",
    ),
    (
        &["snp/milan-v2-virtee/report.bin", "snp/NEG-vcek-synthetic-legacy/vcek.der"],
        NoLists,
        "2023-03-05T22:41:55Z",
        10,
        "chain.signature",
    ),
    // The VCEK names both ASKs as issuer and is signed by the one in service; the list is on its side.
    (
        &[
            "snp/genoa-v3-configfs-tsm/report.bin",
            "snp/genoa-v3-configfs-tsm/vcek.der",
            "snp/NEG-genoa-revoked-ask/genoa-ask-REVOKED-serial020001.der",
            "snp/NEG-genoa-revoked-ask/genoa.crl.der",
        ],
        NoLists,
        "2025-06-01T00:00:00Z",
        0,
        "accepted",
    ),
];

const INTEL: &[Row] = &[
    // No QE identity came with these requests: refused, and the platform's level is told nevertheless.
    (&["sgx/steward-xeon-csr/request.csr"], Lists, "2023-02-01T00:00:00Z", 12, "OutOfDate"),
    (
        &["sgx/steward-xeon-csr/request.csr"],
        AnyStatus,
        "2023-02-01T00:00:00Z",
        14,
        "intel.collateral.missing",
    ),
    (
        &["sgx/steward-xeon-csr/request.csr", "intel-collateral/SGX_00606a000000_20250815.json"],
        Lists,
        "2025-08-30T05:09:06Z",
        12,
        "INTEL-SA-00960",
    ),
    (
        &["sgx/steward-xeon-csr/request.csr", "intel-collateral/SGX_00606a000000_20250815.json"],
        AnyStatus,
        "2025-08-30T05:09:06Z",
        0,
        "OutOfDate",
    ),
    (&["sgx/steward-i5-csr/request.csr"], Lists, "2023-02-01T00:00:00Z", 12, "INTEL-SA-00289"),
    (&["sgx/steward-i5-csr/request.csr"], AnyStatus, "2023-02-01T00:00:00Z", 14, "intel.collateral.missing"),
    (
        &["sgx/v3-dcap-qvl-sample/quote.bin", "intel-collateral/SGX_00a067110000_20250619.json"],
        Lists,
        "2025-07-04T10:28:44Z",
        12,
        "ConfigurationAndSWHardeningNeeded",
    ),
    (
        &["sgx/v3-dcap-qvl-sample/quote.bin", "sgx/v3-dcap-qvl-sample/sgx_quote_collateral.json"],
        AnyStatus,
        "2025-07-04T10:28:44Z",
        0,
        "ConfigurationAndSWHardeningNeeded",
    ),
    (
        &["sgx/v3-automata-a/quote.bin", "intel-collateral/SGX_00606a000000_20250815.json"],
        Lists,
        "2025-08-30T05:09:06Z",
        12,
        "SWHardeningNeeded",
    ),
    (
        &["sgx/v3-occlum-DEBUG-outofdate/quote.bin", "intel-collateral/SGX_00606a000000_20250815.json"],
        AnyStatus,
        "2025-08-30T05:09:06Z",
        15,
        "debug.enabled",
    ),
    (
        &[
            "sgx/synthetic-intel-qvl-sample/quote.dat",
            "sgx/synthetic-intel-qvl-sample/pckCert.pem",
            "sgx/synthetic-intel-qvl-sample/pckSignChain.pem",
        ],
        Lists,
        "2020-01-01T00:00:00Z",
        10,
        "chain.",
    ),
    (
        &["tdx/v4-dcap-qvl-sample/quote.bin", "intel-collateral/TDX_b0c06f000000_20250619.json"],
        Lists,
        "2025-07-04T10:16:31Z",
        0,
        "accepted",
    ),
    (
        &["tdx/v4-dcap-qvl-sample/quote.bin", "intel-collateral/TDX_b0c06f000000_20260813.json"],
        Lists,
        "2026-08-28T05:21:24Z",
        12,
        "INTEL-SA-01313",
    ),
    (
        &["tdx/v4-dcap-qvl-sample/quote.bin", "intel-collateral/TDX_b0c06f000000_20261008.json"],
        Lists,
        "2026-10-23T00:06:48Z",
        12,
        "INTEL-SA-01192",
    ),
    (
        &["tdx/v5-td15-outdated/quote.bin", "intel-collateral/TDX_90c06f000000_20260218.json"],
        AnyStatus,
        "2026-03-05T13:50:07Z",
        12,
        "intel.tcb.unsupported",
    ),
    (
        &["tdx/v5-td15ex/quote.bin", "intel-collateral/TDX_b0c06f000000_20260813.json"],
        Lists,
        "2026-08-28T05:21:24Z",
        0,
        "",
    ),
    (
        &["tdx/v5-td15ex/quote.bin", "intel-collateral/TDX_b0c06f000000_20261008.json"],
        Lists,
        "2026-10-23T00:06:48Z",
        0,
        "",
    ),
    (
        &["tdx/v4-automata-outofdate/quote.bin", "intel-collateral/TDX_00806f050000_20250604.json"],
        Lists,
        "2025-06-19T09:35:34Z",
        12,
        "INTEL-SA-00986",
    ),
    (
        &["tdx/v4-automata-outofdate/quote.bin", "intel-collateral/TDX_00806f050000_20250707.json"],
        Lists,
        "2025-07-22T09:13:34Z",
        12,
        "OutOfDate",
    ),
    (
        &["tdx/v4-automata-outofdate/quote.bin", "intel-collateral/TDX_00806f050000_20260127.json"],
        Lists,
        "2026-02-11T09:25:52Z",
        12,
        "INTEL-SA-01111",
    ),
    (
        &["tdx/v4-gcp-2026-06/gcp-tdx-original-8000.bin", "intel-collateral/TDX_00806f050000_20260630.json"],
        Lists,
        "2026-07-15T08:03:03Z",
        0,
        "accepted",
    ),
    (
        &["tdx/v4-oak/quote.bin", "intel-collateral/TDX_00806f050000_20250604.json"],
        Lists,
        "2025-06-19T09:35:34Z",
        0,
        "",
    ),
    (
        &["tdx/v4-oak/quote.bin", "intel-collateral/TDX_00806f050000_20251019.json"],
        Lists,
        "2025-10-31T14:17:11Z",
        0,
        "",
    ),
    (
        &["tdx/v4-trustee-DEBUG/quote.bin", "intel-collateral/TDX_50806f000000_20260316.json"],
        AnyStatus,
        "2026-03-31T22:25:04Z",
        15,
        "debug.enabled",
    ),
    (
        &["tdx/v4-near-mpc-2026-08/quote.bin", "tdx/v4-near-mpc-2026-08/collateral.json"],
        Lists,
        "2026-08-28T05:21:24Z",
        0,
        "",
    ),
    (
        &["tdx/v4-gotdx-SPR-E4/quote.bin", "intel-collateral/TDX_50806f000000_20260316.json"],
        AnyStatus,
        "2026-03-31T22:25:04Z",
        12,
        "intel.tcb.unsupported",
    ),
    (
        &["tdx/v4-attestation-rs-live/quote.bin", "intel-collateral/TDX_b0c06f000000_20260813.json"],
        Lists,
        "2026-08-28T05:21:24Z",
        12,
        "INTEL-SA-01245",
    ),
    (
        &["tdx/v4-near-gas-test/quote.bin", "intel-collateral/TDX_20a06f000000_20250902.json"],
        Lists,
        "2025-09-17T07:22:55Z",
        0,
        "accepted",
    ),
    (
        &["tdx/v4-dstack/quote.bin", "intel-collateral/TDX_90c06f000000_20260608.json"],
        Lists,
        "2026-06-23T11:56:35Z",
        0,
        "",
    ),
];

const OTHERS: &[Row] = &[
    (
        &["azure-vtpm/snp-milan-evidence-v0-v1/evidence-v0.json"],
        NoLists,
        "2025-06-01T00:00:00Z",
        0,
        "Azure vTPM",
    ),
    (
        &["azure-vtpm/snp-milan-evidence-v0-v1/evidence-v1.json"],
        NoLists,
        "2025-06-01T00:00:00Z",
        0,
        "Azure vTPM",
    ),
    (
        &["azure-vtpm/snp-milan-evidence-v2-userdata/evidence-v2.json"],
        NoLists,
        "2025-06-01T00:00:00Z",
        0,
        "Azure vTPM",
    ),
    (
        &[
            "azure-vtpm/tdx-evidence-v0-v1/evidence-v0.json",
            "intel-collateral/TDX_00806f050000_20250604.json",
        ],
        Lists,
        "2025-06-19T09:35:34Z",
        12,
        "INTEL-SA-00982",
    ),
    (
        &[
            "azure-vtpm/tdx-evidence-v0-v1/evidence-v1.json",
            "intel-collateral/TDX_00806f050000_20250604.json",
        ],
        AnyStatus,
        "2025-06-19T09:35:34Z",
        0,
        "OutOfDate",
    ),
    (
        &["azure-vtpm/kinvolk-hcl-reports/hcl-report-snp.bin", "azure-vtpm/kinvolk-hcl-reports/certs.pem"],
        NoLists,
        "2023-06-01T00:00:00Z",
        10,
        "snp.report.signature",
    ),
    (
        &["azure-vtpm/kinvolk-hcl-reports/hcl-report-tdx.bin"],
        NoLists,
        "2023-06-01T00:00:00Z",
        14,
        "vtpm.quote.missing",
    ),
    (
        &["cca/tag399-legacy-tfrmm/token.cbor", "cca/_trust-anchors/ta-tfa.json"],
        Models,
        "2026-01-01T00:00:00Z",
        0,
        "Arm CCA",
    ),
    (
        &["cca/tag399-draft-ffm-00/token.cbor", "cca/_trust-anchors/ta-tfa.json"],
        Models,
        "2026-01-01T00:00:00Z",
        0,
        "Arm CCA",
    ),
    (
        &["cca/tag399-p256-platform/token.cbor", "cca/_trust-anchors/ta-02-ok.json"],
        Models,
        "2026-01-01T00:00:00Z",
        0,
        "",
    ),
    (
        &["cca/tag399-p256-platform/token.cbor", "cca/_trust-anchors/ta-02-bad.json"],
        Models,
        "2026-01-01T00:00:00Z",
        10,
        "cca.platform.signature",
    ),
    (
        &["cca/tag907-realm-2.0/token.cbor", "cca/_trust-anchors/ta-tfa.json"],
        Models,
        "2026-01-01T00:00:00Z",
        0,
        "Arm CCA",
    ),
    (
        &["cca/NEG-binding-mismatch/token.cbor", "cca/_trust-anchors/ta-tfa.json"],
        Models,
        "2026-01-01T00:00:00Z",
        10,
        "cca.binding",
    ),
    (
        &["cca/tag399-legacy-tfrmm/token.cbor", "cca/_trust-anchors/ta-tfa.json"],
        Lists,
        "2026-01-01T00:00:00Z",
        15,
        "trust.simulated",
    ),
    (&["nitro/dstack-2025-12/document.cbor"], NoLists, "2025-12-25T13:15:37Z", 0, "AWS Nitro"),
    (&["nitro/dstack-2025-12/document.cbor"], NoLists, "2025-12-26T13:15:37Z", 14, "chain.validity"),
    (&["nitro/dstack-2025-12-DEBUG/document.cbor"], NoLists, "2025-12-25T08:20:46Z", 15, "debug.enabled"),
    (&["nitro/anjuna-2021-prod/document.cbor"], NoLists, "2021-03-17T22:01:55Z", 0, "AWS Nitro"),
    (&["nitro/anjuna-2021-publickey/document.cbor"], NoLists, "2021-03-24T16:10:41Z", 0, "AWS Nitro"),
    (&["nitro/nautilus-2025-04/document.cbor"], NoLists, "2025-04-15T02:25:23Z", 0, "AWS Nitro"),
    (&["nitro/evervault-2022-10/document.cbor"], NoLists, "2022-10-13T08:58:02Z", 0, "AWS Nitro"),
    (&["nitro/evervault-2022-10-DEBUG/document.cbor"], NoLists, "2022-10-12T13:50:06Z", 15, "debug.enabled"),
    (&["nitro/veracruz-2022-11/document.cbor"], NoLists, "2022-11-09T22:52:00Z", 0, "AWS Nitro"),
    (
        &["nitro/NEG-veracruz-bad-signature/document.cbor"],
        NoLists,
        "2022-11-09T22:52:00Z",
        10,
        "nitro.signature",
    ),
];

#[test]
fn every_vector_is_judged_as_its_index_says() {
    let Some(vectors) = vectors::folder("") else { return };
    let directory = tempfile::tempdir().unwrap();
    for (files, rules, at, code, said) in [SNP, INTEL, OTHERS].concat() {
        let policy = directory.path().join("policy.toml");
        std::fs::write(&policy, rules.text()).unwrap();
        let policy = policy.display().to_string();
        let (found, text) = verify(&vectors, files, &["--policy", &policy, "--at", at, "--explain"]);
        assert_eq!(found, code, "{files:?} {rules:?} at {at}: {text}");
        assert!(text.contains(said), "{files:?} {rules:?} at {at}: {text}");
    }
}

/// What a profile that ships demands is carried by evidence that was up to date, but for the nonce that nobody gave then.
#[test]
fn genuine_evidence_meets_the_standard() {
    let Some(vectors) = vectors::folder("") else { return };
    let check = |files: &[&str], at: &str, expected: &[&str]| {
        let (_, text) = verify(&vectors, files, &["--policy", "standard", "--at", at, "--json"]);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let checks = json["verdicts"][0]["checks"].as_array().unwrap();
        let failed = checks.iter().filter(|check| check["outcome"] == "fail");
        let failed: BTreeSet<&str> = failed.map(|check| check["reason"].as_str().unwrap()).collect();
        assert_eq!(failed, expected.iter().copied().collect(), "{files:?}: {text}");
    };
    let unasked = ["binding.missing", "nonce.missing"];
    let quote = ["tdx/v4-gcp-2026-06/quote.bin", "intel-collateral/TDX_00806f050000_20260630.json"];
    check(&quote, "2026-07-05T00:00:00Z", &unasked);
    let quote = ["tdx/v5-td15ex/quote.bin", "intel-collateral/TDX_b0c06f000000_20261008.json"];
    check(&quote, "2026-10-12T00:00:00Z", &unasked);
    let quote = ["sgx/v3-automata-a/quote.bin", "intel-collateral/SGX_00606a000000_20250815.json"];
    check(&quote, "2025-08-20T00:00:00Z", &unasked);
    // AMD's lists of the time are not among the vectors.
    let report = ["snp/bergamo-siena-v5/report.bin", "snp/bergamo-siena-v5/vcek.der"];
    check(&report, "2026-10-31T15:49:36Z", &[&unasked[..], &["crl.missing"]].concat());
}

/// No folder of the vectors is left out.
#[test]
fn every_folder_is_judged() {
    let Some(vectors) = vectors::folder("") else { return };
    let judged: BTreeSet<&str> = [SNP, INTEL, OTHERS]
        .concat()
        .iter()
        .flat_map(|(files, ..)| files.iter().filter_map(|file| Some(file.rsplit_once('/')?.0)))
        .collect();
    for tee in ["snp", "sgx", "tdx", "azure-vtpm", "cca", "nitro"] {
        for folder in std::fs::read_dir(vectors.join(tee)).unwrap() {
            let name = folder.unwrap().file_name().into_string().unwrap();
            let case = format!("{tee}/{name}");
            // Roots are no evidence, and one case is written in YAML: `vectors_azure.rs` of `attest` judges it.
            let other = name.starts_with('_') || name == "INDEX.md" || name == "tdx-ak-chain-2026-06";
            assert!(other || judged.contains(case.as_str()), "{case} is not judged");
        }
    }
}

impl Rules {
    fn text(self) -> String {
        match self {
            Lists => LISTS.to_owned(),
            NoLists => [LISTS, NO_LISTS].concat(),
            Aws => [LISTS, NO_LISTS, AWS].concat(),
            Models => [LISTS, MODELS].concat(),
            AnyStatus => [LISTS, ANY].concat(),
        }
    }
}

fn verify(vectors: &Path, files: &[&str], rest: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enarx"));
    command.arg("verify").args(files).args(rest).current_dir(vectors).env_clear();
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}
