//! Every rule for SEV-SNP, by a host that breaks that rule alone; the hierarchy is our own, so nothing outside is needed.

#[path = "snp/hierarchy.rs"]
mod hierarchy;

use attest::binding::Binding;
use attest::der::{element, tag, unsigned};
use attest::evidence::Evidence;
use attest::explain;
use attest::reason::{Outcome, Reason};
use attest::result::TrustLevel;
use attest::time::Time;
use hierarchy::{CHIP, List, Scene, VCEK_LIST, VLEK_LIST};

/// The scene is refused for this reason, or accepted.
fn judge(name: &str, scene: &Scene, expected: Option<Reason>) {
    match (scene.judge(), expected) {
        (Ok(result), None) => assert_eq!(result.trust(), TrustLevel::Simulated, "{name}"),
        (Err(rejection), Some(reason)) => {
            assert!(rejection.has(reason), "{name}: expected {reason}, found {rejection}");
            assert!(explain::rejection(&rejection).contains(reason.id()), "{name}");
        }
        (Ok(_), Some(reason)) => panic!("{name}: accepted, expected {reason}"),
        (Err(rejection), None) => panic!("{name}: {rejection}"),
    }
}

fn check(name: &str, expected: impl Into<Option<Reason>>, edit: impl FnOnce(&mut Scene)) {
    let mut scene = Scene::good();
    edit(&mut scene);
    judge(name, &scene, expected.into());
}

fn policy(text: &str, expected: impl Into<Option<Reason>>) {
    check(text, expected, |scene| scene.policy = text.into());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn hosts_in_good_order_are_accepted() {
    for line in ["Milan", "Genoa", "Turin"] {
        judge(line, &Scene::of(line), None);
    }
    judge("VLEK", &Scene::vlek(), None);
    for version in 2..=5 {
        check("version", None, |scene| {
            scene.write(0, &[version]);
            if version == 2 {
                scene.write(0x188, &[0; 3]);
            }
            if version < 5 {
                scene.write(0x1F8, &[0; 16]);
            }
        });
    }
    check("trailer field written out", None, |scene| scene.leaf().trailer = true);
    check("wrapped chip id", None, |scene| scene.leaf().set(&[4], element(tag::OCTET_STRING, &CHIP)));
    check("reported below committed", None, |scene| {
        scene.write(0x180, &[9]);
        scene.leaf().set(&[3, 1], unsigned(9));
    });
}

#[test]
fn bytes_that_are_no_report_are_refused() {
    let decode = |bytes: &[u8]| Evidence::decode(bytes).expect_err("not a report");
    let good = Scene::good().report;
    for length in 0..good.len() {
        assert!(decode(&good[..length]).has(Reason::EvidenceUnknown), "{length}");
    }
    assert!(decode(&[good.as_slice(), &[0]].concat()).has(Reason::EvidenceUnknown));
    for version in [0, 1, 6, 255] {
        let mut report = good.clone();
        report[0] = version;
        assert!(decode(&report).has(Reason::EvidenceMalformed), "version {version}");
    }
    check("signature algorithm", Reason::EvidenceMalformed, |scene| scene.write(0x34, &[2]));
}

#[test]
fn reserved_fields_are_zero() {
    let reserved = |name: &str, at: usize, version: u8| {
        check(name, Reason::SnpReportReserved, |scene| {
            scene.write(0, &[version]);
            if version == 2 {
                scene.write(0x188, &[0; 3]);
            }
            if version < 5 {
                scene.write(0x1F8, &[0; 16]);
            }
            scene.report[at] = 0x80;
        });
    };
    reserved("key flags", 0x4B, 5);
    reserved("after the key flags", 0x4F, 5);
    reserved("CPUID in version 2", 0x189, 2);
    reserved("after CPUID", 0x19F, 5);
    reserved("after the current version", 0x1EB, 5);
    reserved("after the committed version", 0x1EF, 5);
    reserved("mitigation vectors in version 3", 0x1F8, 3);
    reserved("mitigation vectors in version 4", 0x207, 4);
    reserved("end of the signed part", 0x29F, 5);
    reserved("inside CURRENT_TCB", 0x3A, 5);
    reserved("inside REPORTED_TCB", 0x185, 5);
    reserved("inside COMMITTED_TCB", 0x1E2, 5);
    reserved("inside LAUNCH_TCB", 0x1F3, 5);
    for (name, at) in [("R", 0x2D0), ("S", 0x318), ("signature", 0x330), ("last byte", 0x49F)] {
        check(name, Reason::SnpReportReserved, |scene| scene.flips.push((at, 1)));
    }
    check("POLICY bit 17", Reason::SnpReportReserved, |scene| scene.write(0x0A, &[1]));
    let mut turin = Scene::of("Turin");
    turin.report[0x1A8] = 1;
    judge("long chip id on Turin", &turin, Some(Reason::SnpReportReserved));
    check("short chip id on Genoa", Reason::SnpReportReserved, |scene| scene.write(0x1A8, &[0; 56]));
}

#[test]
fn signatures_hold() {
    let forged = |name: &str, at: usize, half: [u8; 48]| {
        check(name, Reason::SnpReportSignature, |scene| scene.half = Some((at, half)));
    };
    // The order of P-384 (FIPS 186-4, D.1.2.4), little-endian.
    let mut order = [0xFF; 48];
    order[..24].copy_from_slice(&[
        0x73, 0x29, 0xC5, 0xCC, 0x6A, 0x19, 0xEC, 0xEC, 0x7A, 0xA7, 0xB0, 0x48, 0xB2, 0x0D, 0x1A, 0x58, 0xDF,
        0x2D, 0x37, 0xF4, 0x81, 0x4D, 0x63, 0xC7,
    ]);
    for (name, at) in [("R", 0x2A0), ("S", 0x2E8)] {
        forged(&format!("{name} is zero"), at, [0; 48]);
        forged(&format!("{name} is the order"), at, order);
        forged(&format!("{name} is above the order"), at, [0xFF; 48]);
    }
    check("another report", Reason::SnpReportSignature, |scene| scene.flips.push((0x50, 1)));
    check("forged VEK", Reason::ChainSignature, |scene| scene.leaf().forged = true);
    check("unpinned root", Reason::ChainAnchor, |scene| scene.anchored = false);
    check("unnamed root", Reason::TrustSimulated, |scene| scene.named = false);
    check("unsigned by MASK_CHIP_KEY", Reason::SnpSigningKey, |scene| scene.write(0x48, &[2]));
}

#[test]
fn chains_hold() {
    check("no VEK", Reason::SnpVekMissing, |scene| scene.vek = None);
    check("expired VEK", Reason::ChainValidity, |scene| scene.leaf().dates[1] = "260531235959Z");
    check("VEK of tomorrow", Reason::ChainValidity, |scene| scene.leaf().dates[0] = "260602000000Z");
    check("expired ASK", Reason::ChainValidity, |scene| scene.ask.dates[1] = "260531235959Z");
    check("expired ARK", Reason::ChainValidity, |scene| scene.ark.dates[1] = "260531235959Z");
    check("ASK is no CA", Reason::ChainConstraints, |scene| scene.ask.ca = false);
    check("ASK may not sign", Reason::ChainConstraints, |scene| scene.ask.usage = 0x80);
    check("ARK's path is too short", Reason::ChainConstraints, |scene| scene.ark.path_length = Some(0));
    check("ASK of another name", Reason::ChainAnchor, |scene| scene.ask.subject = "SEV-Other".into());
}

#[test]
fn lists_hold() {
    check("no lists", Reason::CrlMissing, |scene| scene.lists.clear());
    check("forged list", Reason::CrlSignature, |scene| scene.lists[0].forged = true);
    check("outdated list", Reason::CrlStale, |scene| scene.lists[0].dates[1] = "260531235959Z");
    check("list of tomorrow", Reason::CrlStale, |scene| scene.lists[0].dates[0] = "260602000000Z");
    check("revoked ASK", Reason::CrlRevoked, |scene| scene.lists[0].serials.push(scene.ask.serial));
    check("revoked by an outdated list", Reason::CrlRevoked, |scene| {
        let dates = ["250101000000Z", "250201000000Z"];
        scene.lists.push(List { dates, serials: vec![2], ..List::new(Some(VCEK_LIST)) });
    });
    policy("revocation.max_age_seconds = 86400", Reason::CrlAge);
    policy("revocation.max_age_seconds = 8640000", None);
    policy("revocation.minimum_number = { SEV-Genoa = 8 }", Reason::CrlNumber);
    policy("revocation.minimum_number = { SEV-Genoa = 7 }", None);
    check("withheld but excused", None, |scene| {
        scene.lists.clear();
        scene.policy = "revocation.required = false".into();
    });
}

#[test]
fn the_list_of_asks_does_not_cover_an_asvk() {
    let covered_by = |vlek: bool, source: Option<&'static str>, expected: Option<Reason>| {
        let mut scene = if vlek { Scene::vlek() } else { Scene::good() };
        scene.lists = vec![List::new(source)];
        judge(&format!("VLEK {vlek}, {source:?}"), &scene, expected);
    };
    covered_by(false, Some(VCEK_LIST), None);
    covered_by(false, Some(VLEK_LIST), Some(Reason::CrlMissing));
    covered_by(true, Some(VLEK_LIST), None);
    covered_by(true, Some(VCEK_LIST), Some(Reason::CrlMissing));
    // Of unknown origin: the one that the ARK names.
    covered_by(false, None, None);
    covered_by(true, None, Some(Reason::CrlMissing));
    let mut scene = Scene::vlek();
    scene.lists[0].serials.push(scene.ask.serial);
    judge("a revocation counts in either list", &scene, Some(Reason::CrlRevoked));
}

#[test]
fn report_and_vek_belong_together() {
    check("VLEK bit under a VCEK", Reason::SnpSigningKey, |scene| scene.write(0x48, &[1 << 2]));
    check("signed by no key", Reason::SnpSigningKey, |scene| scene.write(0x48, &[7 << 2]));
    let mut vlek = Scene::vlek();
    vlek.report[0x48] = 0;
    judge("VCEK bit under a VLEK", &vlek, Some(Reason::SnpSigningKey));
    for (arc, other) in [(1, 9), (2, 1), (3, 26), (8, 200)] {
        check("TCB", Reason::SnpVekTcb, |scene| scene.leaf().set(&[3, arc], unsigned(other)));
    }
    check("CHIP_ID", Reason::SnpVekHwid, |scene| scene.write(0x1A0, &[1]));
    check("CPUID of another line", Reason::SnpProduct, |scene| scene.write(0x188, &[0x1A, 2, 1]));
    check("CPUID of no line", Reason::SnpProduct, |scene| scene.write(0x188, &[0x17, 1, 1]));
    check("committed above current", Reason::SnpTcbOrder, |scene| scene.write(0x1E0, &[11]));
    check("reported above current", Reason::SnpTcbOrder, |scene| scene.write(0x38, &[9]));
    check("committed version above current", Reason::SnpTcbOrder, |scene| scene.write(0x1EC, &[50]));
    check("ABI above the firmware's", Reason::SnpAbi, |scene| scene.write(0x08, &[56, 1]));
    check("ABI above in major alone", Reason::SnpAbi, |scene| scene.write(0x08, &[0, 2]));
    check("ABI of the firmware", None, |scene| scene.write(0x08, &[55, 1]));
}

#[test]
fn veks_carry_exactly_their_extensions() {
    let check = |name: &str, edit: &dyn Fn(&mut Scene)| check(name, Reason::SnpVekExtensions, edit);
    check("structure version", &|scene| scene.leaf().set(&[1], unsigned(1)));
    check("no structure version", &|scene| scene.leaf().remove(&[1]));
    check("product of another line", &|scene| scene.leaf().set(&[2], element(tag::IA5_STRING, b"Milan-B0")));
    check("product is no text", &|scene| scene.leaf().set(&[2], unsigned(1)));
    for arc in 1..=8 {
        check("a component is missing", &|scene| scene.leaf().remove(&[3, arc]));
    }
    check("Turin's component", &|scene| scene.leaf().set(&[3, 9], unsigned(0)));
    check("a component over a byte", &|scene| scene.leaf().set(&[3, 1], unsigned(256)));
    check("a reserved component", &|scene| scene.leaf().set(&[3, 5], unsigned(1)));
    check("an unknown extension", &|scene| scene.leaf().set(&[6], unsigned(1)));
    check("an extension of others", &|scene| {
        scene.leaf().extensions.push((vec![0x55, 0x1D, 19], element(tag::SEQUENCE, &[])));
    });
    check("no chip", &|scene| scene.leaf().remove(&[4]));
    check("a short chip", &|scene| scene.leaf().set(&[4], vec![1; 8]));
    check("a provider in a VCEK", &|scene| scene.leaf().set(&[5], element(tag::IA5_STRING, b"CN=x")));
    check("another name", &|scene| {
        scene.ask.subject = "SEV-Naples".into();
        scene.leaf().issuer = "SEV-Naples".into();
    });
    let mut vlek = Scene::vlek();
    vlek.leaf().remove(&[5]);
    judge("no provider in a VLEK", &vlek, Some(Reason::SnpVekExtensions));
}

#[test]
fn bits_are_judged_one_by_one() {
    let names = ["migration-agent", "debug", "single-socket", "cxl", "aes-256-xts", "rapl-disabled"];
    for name in names.into_iter().chain(["ciphertext-hiding", "page-swap-disabled"]) {
        policy(&format!("snp.guest_policy.bits = {{ {name} = \"set\" }}"), Reason::SnpGuestPolicy);
        policy(&format!("snp.guest_policy.bits = {{ {name} = \"clear\" }}"), None);
    }
    policy("snp.guest_policy.bits = { smt = \"clear\" }", Reason::SnpGuestPolicy);
    for name in ["smt", "ecc", "alias-check-complete"] {
        policy(&format!("snp.platform_info.bits = {{ {name} = \"clear\" }}"), Reason::SnpPlatform);
        policy(&format!("snp.platform_info.bits = {{ {name} = \"ignore\" }}"), None);
    }
    for name in ["tsme", "rapl-disabled", "ciphertext-hiding", "bit-6", "tio"] {
        policy(&format!("snp.platform_info.bits = {{ {name} = \"set\" }}"), Reason::SnpPlatform);
    }
    policy("snp.products.genoa.platform_info = { smt = \"clear\" }", Reason::SnpPlatform);
    policy("snp.products.genoa.guest_policy = { smt = \"clear\" }", Reason::SnpGuestPolicy);
    policy("snp.products.milan.guest_policy = { smt = \"clear\" }", None);
    for (at, field, reason) in
        [(0x0B, "guest_policy", Reason::SnpGuestPolicy), (0x41, "platform_info", Reason::SnpPlatform)]
    {
        check("unknown bit", reason, |scene| scene.report[at] = 0x80);
        check("unknown bit, noted", None, |scene| {
            scene.report[at] = 0x80;
            scene.policy = format!("snp.{field}.unknown = \"note\"");
            let result = scene.judge().expect("accepted");
            assert!(result.checks().iter().any(|it| it.outcome == Outcome::Note && it.reason == reason));
        });
    }
    check("Turin's bit 6", None, |scene| scene.write(0x40, &[0x67]));
}

#[test]
fn floors_hold() {
    for (component, value) in [("bootloader", 11), ("tee", 1), ("snp", 28), ("microcode", 85), ("fmc", 1)] {
        policy(
            &format!("snp.products.genoa.minimum_tcb = {{ {component} = {value} }}"),
            Reason::SnpTcbMinimum,
        );
    }
    let floor = "snp.products.genoa.minimum_tcb = { bootloader = 10, snp = 27, microcode = 84 }";
    policy(floor, None);
    for at in [0x1E0, 0x1F0] {
        check("committed, launch", Reason::SnpTcbMinimum, |scene| {
            scene.write(at, &[9]);
            scene.policy = floor.into();
        });
        check("settled", Reason::SnpTcbSettled, |scene| {
            scene.write(at, &[9]);
            scene.policy = "snp.settled_tcb = true".into();
        });
    }
    let own = "[snp.products.genoa]\nminimum_tcb.snp = 99\n[snp.products.bergamo]\nminimum_tcb.snp = 27\n";
    policy(own, Reason::SnpTcbMinimum);
    check("a product's own floor", None, |scene| {
        scene.write(0x188, &[0x19, 0xA0, 2]);
        scene.policy = own.into();
    });
    policy("snp.products.genoa.minimum_firmware = \"1.55.50\"", Reason::SnpFirmware);
    policy("snp.products.genoa.minimum_firmware = \"1.55.49\"", None);
    policy("snp.products.genoa.launch_mitigations = [1, 2]", Reason::SnpMitigation);
    policy("snp.products.genoa.current_mitigations = [63]", Reason::SnpMitigation);
    policy("snp.products.genoa.launch_mitigations = [0, 1]", None);
    check("no vectors before version 5", Reason::SnpMitigation, |scene| {
        scene.write(0, &[3]);
        scene.write(0x1F8, &[0; 16]);
        scene.policy = "snp.products.genoa.launch_mitigations = [0]".into();
    });
    policy("snp.minimum_guest_svn = 1", Reason::SnpGuestSvn);
    policy("snp.lines = [\"turin\"]", Reason::SnpLine);
    policy("snp.denied_lines = [\"genoa\"]", Reason::SnpLine);
}

#[test]
fn who_launched_what_and_where() {
    let (found, other) = (hex(&[0xAA; 48]), hex(&[0xAB; 48]));
    policy(&format!("snp.hash = [\"{other}\"]"), Reason::MeasurementUnknown);
    policy(&format!("snp.hash = [\"{other}\", \"{found}\"]"), None);
    policy(&format!("snp.hash_blacklist = [\"{found}\"]"), Reason::MeasurementDenied);
    let zero = hex(&[0; 48]);
    policy(&format!("snp.id_key_digest = [\"{other}\"]"), Reason::SnpIdKey);
    policy(&format!("snp.id_key_digest_blacklist = [\"{zero}\"]"), Reason::SnpIdKey);
    policy(&format!("snp.signer = [\"{other}\"]"), Reason::SnpAuthorKey);
    policy(&format!("snp.signer = [\"{zero}\"]"), Reason::SnpAuthorKey);
    check("author key", None, |scene| {
        scene.write(0x48, &[1]);
        scene.write(0x110, &[0xAB; 48]);
        scene.policy = format!("snp.signer = [\"{other}\"]");
    });
    for (key, size) in [("family_id", 16), ("image_id", 16), ("host_data", 32)] {
        policy(&format!("snp.{key} = [\"{}\"]", hex(&vec![1; size])), Reason::SnpLaunchIds);
        policy(&format!("snp.{key} = [\"{}\"]", hex(&vec![0; size])), None);
    }
    policy(&format!("snp.chips = [\"{}\"]", hex(&[1; 64])), Reason::SnpChip);
    policy(&format!("snp.chips = [\"{}\"]", hex(&CHIP)), None);
    policy(&format!("snp.denied_chips = [\"{}\"]", hex(&CHIP)), Reason::SnpChip);
    let mut turin = Scene::of("Turin");
    turin.policy = format!("snp.chips = [\"{}\"]", hex(&CHIP[..8]));
    judge("Turin's short chip id", &turin, None);
    let masked = |text: &str, expected| {
        check(text, expected, |scene| {
            scene.write(0x1A0, &[0; 64]);
            scene.policy = text.into();
        });
    };
    masked("", Some(Reason::SnpChipMasked));
    masked("snp.masked_chip = true", None);
    masked(&format!("snp.masked_chip = true\nsnp.chips = [\"{}\"]", hex(&CHIP)), Some(Reason::SnpChip));
    let mut vlek = Scene::vlek();
    vlek.policy = "snp.csp = [\"CN=other.example\"]".into();
    judge("another cloud", &vlek, Some(Reason::SnpCsp));
    for (vmpl, highest, expected) in
        [(1, 0, Some(Reason::SnpVmpl)), (1, 1, None), (0xFF, 9, Some(Reason::SnpVmpl))]
    {
        check("VMPL", expected, |scene| {
            scene.write(0x30, &[vmpl; 4][..if vmpl == 0xFF { 4 } else { 1 }]);
            scene.policy = format!("snp.maximum_vmpl = {highest}");
        });
    }
    check("debug", Reason::DebugEnabled, |scene| scene.report[0x0A] |= 1 << 3);
    check("migration agent allowed", Reason::SnpMigrationAgent, |scene| scene.report[0x0A] |= 1 << 2);
    check("migration agent present", Reason::SnpMigrationAgent, |scene| scene.write(0x160, &[0]));
    policy("accept.tees = [\"tdx\"]", Reason::TeeRefused);
}

#[test]
fn keys_of_the_old_steward_keep_their_meaning() {
    policy("snp.abi = \"1.0\"", Reason::SnpAbi);
    check("abi", None, |scene| {
        scene.write(0x08, &[51, 1]);
        scene.policy = "snp.abi = \">=1.51, <1.60\"".into();
    });
    policy("snp.policy_flags = [\"SMT\"]", None);
    policy("snp.policy_flags = [\"SMT\", \"SingleSocket\"]", Reason::SnpGuestPolicy);
    policy("snp.policy_flags = [\"Debug\"]", Reason::SnpGuestPolicy);
    policy("snp.platform_info_flags = \"SME\"", Reason::SnpPlatform);
    check("a host of its time", None, |scene| {
        scene.write(0x40, &[1]);
        scene.policy = "snp.platform_info_flags = \"SME\"".into();
    });
}

#[test]
fn bindings_hold() {
    let bound = |binding: Binding, policy: &str, expected: Option<Reason>| {
        check(policy, expected, |scene| {
            scene.reference.binding = Some(binding);
            scene.policy = policy.into();
        });
    };
    bound(Binding::Exact(vec![0; 64]), "", None);
    bound(Binding::Exact(vec![1; 64]), "", Some(Reason::BindingMismatch));
    bound(Binding::Exact(vec![0; 64]), "freshness.nonce_required = true", Some(Reason::NonceMissing));
    let spki = vec![7; 91];
    let digest = attest::crypto::sha384(&spki);
    for (policy, expected) in [("", Some(Reason::BindingLegacy)), ("accept.legacy_enarx = true", None)] {
        check("the key alone", expected, |scene| {
            scene.write(0x50, &digest);
            scene.reference.binding = Some(Binding::LegacyKey { spki: spki.clone() });
            scene.policy = policy.into();
        });
    }
    check("workload", Reason::WorkloadMismatch, |scene| scene.reference.workload = Some(vec![1; 32]));
    check("no workload at all", Reason::WorkloadMismatch, |scene| {
        scene.reference.workload = Some(Vec::new())
    });
    check("workload", None, |scene| {
        scene.write(0xC0, &[1; 32]);
        scene.reference.workload = Some(vec![1; 48]);
    });
    check("measurement", Reason::MeasurementUnknown, |scene| {
        scene.reference.measurements.insert(vec![1; 48]);
    });
}

#[test]
fn results_hold_as_long_as_the_policy_says() {
    let mut scene = Scene::good();
    let to = |scene: &Scene| scene.judge().expect("accepted").validity().map(|window| window.to);
    assert_eq!(to(&scene), Time::from_rfc3339("2026-07-01T00:00:00Z"), "the list's next update");
    scene.policy = "freshness.result_seconds = 86400".into();
    assert_eq!(to(&scene), Time::from_rfc3339("2026-06-02T00:00:00Z"));
}
