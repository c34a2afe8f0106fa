//! Genuine evidence behind Azure's virtual TPM, judged at the time that its index names, and every single-bit flip and
//! truncation of some.

#[path = "tokens/judge.rs"]
mod judge;
#[path = "support/vectors.rs"]
mod vectors;
#[path = "tokens/yaml.rs"]
mod yaml;

use attest::endorsements::DocumentKind;
use attest::evidence::Evidence;
use attest::reason::Reason;
use attest::time::Time;
use serde_json::Value;

use self::judge::{Judge, NO_LISTS, each_bit};
use self::vectors::{folder, read};

#[test]
fn azure_snp() {
    let Some(vectors) = folder("azure-vtpm") else { return };
    let judge = |binding: &[u8]| Judge::new("2025-06-01T00:00:00Z", NO_LISTS).bound_to(binding);
    for name in ["evidence-v0.json", "evidence-v1.json"] {
        let evidence = read(&vectors.join("snp-milan-evidence-v0-v1").join(name));
        judge(b"challenge").accepts(name, &evidence);
        judge(b"another").refuses(name, &evidence, Reason::BindingMismatch);
        let early = Judge::new("2020-01-01T00:00:00Z", NO_LISTS);
        early.refuses(name, &evidence, Reason::ChainValidity);
        let certified =
            Judge::new("2025-06-01T00:00:00Z", &format!("{NO_LISTS}[vtpm]\ncertificate_required = true\n"));
        certified.refuses(name, &evidence, Reason::VtpmKey);
    }
    let evidence = read(&vectors.join("snp-milan-evidence-v2-userdata/evidence-v2.json"));
    let result = Judge::new("2025-06-01T00:00:00Z", NO_LISTS).accepts("v2", &evidence);
    assert_eq!(result.claims().report_data.len(), 48);
    // What has no quote is a copy of a report until a policy says that this is enough; and it is of another chip.
    let bare = read(&vectors.join("kinvolk-hcl-reports/hcl-report-snp.bin"));
    let mut other = Judge::new("2023-06-01T00:00:00Z", NO_LISTS);
    let chain = String::from_utf8(read(&vectors.join("kinvolk-hcl-reports/certs.pem"))).expect("PEM is text");
    for block in attest::pem::decode(chain.as_bytes()).expect("PEM") {
        other.endorsements.add_certificate(&block.bytes).expect("decodes");
    }
    other.refuses("kinvolk", &bare, Reason::VtpmQuoteMissing);
    other.refuses("kinvolk", &bare, Reason::SnpReportSignature);
    other.refuses("kinvolk", &bare, Reason::SnpVekHwid);
}

#[test]
fn azure_snp_every_change_is_refused() {
    let Some(vectors) = folder("azure-vtpm") else { return };
    let judge = Judge::new("2025-06-01T00:00:00Z", NO_LISTS);
    let evidence = read(&vectors.join("snp-milan-evidence-v2-userdata/evidence-v2.json"));
    judge.refuses_every_change("v2", &evidence);
}

#[test]
fn azure_tdx() {
    let Some(vectors) = folder("azure-vtpm") else { return };
    let collateral = read(&vectors.join("../intel-collateral/TDX_00806f050000_20250604.json"));
    let collateral: Value = serde_json::from_slice(&collateral).expect("JSON");
    let at = "2025-06-19T09:35:34Z";
    let accepted = format!(
        "{BINDING_FREE}[[tdx.tcb.accept]]\nstatus = \"OutOfDate\"\nreason = \"test\"\nuntil = \"2030-01-01T00:00:00Z\"\n\
         advisories = [\"INTEL-SA-00960\", \"INTEL-SA-00982\", \"INTEL-SA-00986\"]\n"
    );
    for name in ["evidence-v0.json", "evidence-v1.json"] {
        let evidence = read(&vectors.join("tdx-evidence-v0-v1").join(name));
        let judge = with_collateral(Judge::new(at, BINDING_FREE), &collateral);
        judge.refuses(name, &evidence, Reason::IntelTcbStatus);
        let judge = with_collateral(Judge::new(at, &accepted), &collateral).bound_to(b"challenge");
        judge.accepts(name, &evidence);
    }
}

#[test]
fn azure_tdx_every_change_of_what_is_ours_is_refused() {
    let Some(vectors) = folder("azure-vtpm") else { return };
    let collateral = read(&vectors.join("../intel-collateral/TDX_00806f050000_20250604.json"));
    let judge = with_collateral(
        Judge::new("2025-06-19T09:35:34Z", BINDING_FREE),
        &serde_json::from_slice(&collateral).expect("JSON"),
    );
    // The platform is out of date: what must be seen is another failure than that.
    let seen = |bytes: &[u8]| match judge.judge(bytes) {
        Ok(_) => false,
        Err(rejection) => rejection
            .checks()
            .failures()
            .any(|check| !matches!(check.reason, Reason::IntelTcbStatus | Reason::IntelTcbAdvisory)),
    };
    let evidence = read(&vectors.join("kinvolk-hcl-reports/hcl-report-tdx.bin"));
    let Ok(Evidence::Vtpm(decoded)) = Evidence::decode(&evidence) else { panic!("decodes") };
    assert!(decoded.quote.is_none());
    judge.refuses("bare", &evidence, Reason::VtpmQuoteMissing);

    let document = read(&vectors.join("tdx-evidence-v0-v1/evidence-v1.json"));
    let mut document: Value = serde_json::from_slice(&document).expect("JSON");
    let text = document["hcl_report"].as_str().expect("text").to_owned();
    let report = attest::base64::decode("report", text.as_bytes()).expect("Base64");
    assert!(!seen(document.to_string().as_bytes()));
    document["hcl_report"] = Value::from("@");
    let template = document.to_string();
    let refused = |report: &[u8]| seen(template.replace('@', &attest::base64::encode_url(report)).as_bytes());
    // CPUSVN and the MAC over the TD report: only its own CPU could tell, and no rule reads them.
    let unread =
        |byte: usize| (0x20 + 16..0x20 + 32).contains(&byte) || (0x20 + 224..0x20 + 256).contains(&byte);
    each_bit(&report, |bit, flipped| assert_eq!(refused(flipped), !unread(bit / 8), "bit {bit}"));
}

#[test]
fn azure_tdx_with_a_certified_key() {
    let Some(vectors) = folder("azure-vtpm") else { return };
    let case = vectors.join("tdx-ak-chain-2026-06");
    let text = |name: &str| String::from_utf8(read(&case.join(name))).expect("text");
    let collateral = yaml::read(&text("azure-collateral-with-ak-intermediates-1780922561.yaml"));
    let evidence = yaml::read(&text("azure-tdx-with-ak-intermediates-1780922561.yaml"));
    let at = "2026-06-08T12:42:41Z";
    // Intel's lists are given, Microsoft's are not among the vectors.
    let certified = format!("{NO_LISTS}[vtpm]\ncertificate_required = true\n");
    let judge = with_collateral(Judge::new(at, &certified), &collateral);
    judge.accepts("certified", evidence.to_string().as_bytes());
    let later = Judge { now: Time(judge.now.0 + 366 * 86_400), ..judge };
    later.refuses("expired", evidence.to_string().as_bytes(), Reason::ChainValidity);
    let judge = with_collateral(Judge::new(at, &certified), &collateral);
    let mut without = evidence.clone();
    let attestation = without["tpm_attestation"].as_object_mut().expect("a map");
    attestation.remove("ak_intermediate_certificates_pem");
    judge.refuses("cut chain", without.to_string().as_bytes(), Reason::ChainAnchor);
    let listed = with_collateral(Judge::new(at, BINDING_FREE), &collateral);
    listed.refuses("unlisted", evidence.to_string().as_bytes(), Reason::CrlMissing);
    let mut foreign = evidence;
    let other = foreign["tpm_attestation"]["ak_intermediate_certificates_pem"][0].clone();
    foreign["tpm_attestation"]["ak_certificate_pem"] = other;
    judge.refuses("another key", foreign.to_string().as_bytes(), Reason::VtpmKey);
}

/// Nothing is expected of the report data.
const BINDING_FREE: &str = "[freshness]\nbinding_required = false\n";

fn with_collateral(mut judge: Judge, collateral: &Value) -> Judge {
    let text = |member: &str| collateral[member].as_str().expect("text").to_owned();
    for member in ["pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain"] {
        for block in attest::pem::decode(text(member).as_bytes()).expect("PEM") {
            judge.endorsements.add_certificate(&block.bytes).expect("certificate decodes");
        }
    }
    for member in ["root_ca_crl", "pck_crl"] {
        let digits = text(member);
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
        let der: Vec<u8> = digits.trim().as_bytes().chunks(2).map(byte).collect();
        judge.endorsements.add_crl(&der).expect("list decodes");
    }
    for (kind, member, key) in [
        (DocumentKind::TcbInfo, "tcb_info", "tcbInfo"),
        (DocumentKind::QeIdentity, "qe_identity", "enclaveIdentity"),
    ] {
        let signature = text(&format!("{member}_signature"));
        let document = format!("{{\"{key}\":{},\"signature\":\"{}\"}}", text(member), signature.trim());
        judge.endorsements.add_document(kind, document.as_bytes()).expect("document fits");
    }
    judge
}
