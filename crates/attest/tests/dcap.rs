//! Every way that an SGX or TDX quote can be wrong, with the reason that it must be refused for: no vectors needed.

#[path = "dcap/hierarchy.rs"]
mod hierarchy;
#[path = "support/memory.rs"]
mod memory;

use std::sync::Arc;

use attest::appraise::appraise;
use attest::claims::Detail;
use attest::dcap::tcb::Verdict;
use attest::endorsements::{DocumentKind, Endorsements};
use attest::evidence::Evidence;
use attest::policy::Policy;
use attest::reason::{Reason, Rejection};
use attest::reference::ReferenceValues;
use attest::result::AttestationResult;
use attest::time::Time;

use self::hierarchy::{CA, Kind, NOW, PCK, ROOT, SIGNER, STRANGER, World};
use self::memory::Everything;

const TDX: [Kind; 3] = [Kind::Tdx4, Kind::Tdx5, Kind::Tdx5Extended];
const SGX: [Kind; 3] = [Kind::Sgx3, Kind::Sgx4, Kind::Sgx5];

#[test]
fn every_form_of_quote_is_accepted() {
    for kind in kinds() {
        let world = World::new(kind);
        let result = judge(&world, "", NOW).unwrap_or_else(|rejection| panic!("{kind:?}: {rejection}"));
        assert_eq!(verdict(&result).status.name(), "UpToDate", "{kind:?}");
        let validity = result.validity().expect("there are certificates");
        assert_eq!(validity.to, Time::from_rfc3339("2026-07-01T00:00:00Z").expect("valid"), "{kind:?}");
    }
}

/// The hierarchy is not Intel's: without its name in the policy, it is refused as what it is.
#[test]
fn a_simulator_must_be_named() {
    let world = World::new(Kind::Tdx4);
    let rejection = judge_with(&world.quote(), &world.endorsements(), BASE, NOW).expect_err("simulated");
    assert!(rejection.has(Reason::TrustSimulated), "{rejection}");
    let shipped = Endorsements::shipped().expect("decodes");
    let rejection = judge_with(&world.quote(), &shipped, BASE, NOW).expect_err("unknown root");
    assert!(rejection.has(Reason::ChainSignature), "{rejection}");
}

#[test]
fn what_is_signed_wrongly_is_refused() {
    let rows: &[Row] = &[
        ("quote by another key", |world| world.quote_signed_by = STRANGER, Reason::IntelQuoteSignature),
        ("QE report by another key", |world| world.quoting_signed_by = STRANGER, Reason::IntelQeSignature),
        ("QE report by the CA", |world| world.quoting_signed_by = CA, Reason::IntelQeSignature),
        ("QE report data with a tail", |world| world.binding_tail = 1, Reason::IntelQeBinding),
        ("PCK by another key", |world| world.entities[PCK].signed_by = STRANGER, Reason::ChainSignature),
        ("CA by another key", |world| world.entities[CA].signed_by = STRANGER, Reason::ChainSignature),
        (
            "signer by another key",
            |world| world.entities[SIGNER].signed_by = STRANGER,
            Reason::ChainSignature,
        ),
        (
            "documents by another key",
            |world| world.documents_signed_by = STRANGER,
            Reason::IntelCollateralSignature,
        ),
        ("documents by the root", |world| world.documents_signed_by = ROOT, Reason::IntelCollateralSignature),
        ("root's list by another key", |world| world.lists[0].signed_by = STRANGER, Reason::CrlSignature),
        ("CA's list by the root", |world| world.lists[1].signed_by = ROOT, Reason::CrlSignature),
    ];
    check(rows);
}

#[test]
fn chains_of_another_shape_are_refused() {
    let rows: &[Row] = &[
        ("leaf of another name", |world| world.entities[PCK].name = "PCK", Reason::IntelPck),
        (
            "signer of another name",
            |world| world.entities[SIGNER].name = "Intel SGX PCK Certificate",
            Reason::IntelCollateralMissing,
        ),
        (
            "CA of another name",
            |world| {
                world.entities[CA].name = "Intel CA";
                world.entities[PCK].issuer = "Intel CA";
            },
            Reason::IntelPck,
        ),
        (
            "processor CA with an instance",
            |world| {
                world.entities[CA].name = "Intel SGX PCK Processor CA";
                world.entities[PCK].issuer = "Intel SGX PCK Processor CA";
            },
            Reason::IntelPck,
        ),
        ("platform CA without an instance", |world| world.pck_extension.instance = None, Reason::IntelPck),
        (
            "PCK below the root",
            |world| {
                world.entities[PCK].issuer = "Intel SGX Root CA";
                world.entities[PCK].signed_by = ROOT;
            },
            Reason::IntelPck,
        ),
        (
            "signer below the CA",
            |world| {
                world.entities[SIGNER].issuer = "Intel SGX PCK Platform CA";
                world.entities[SIGNER].signed_by = CA;
                world.endorsed.push(CA);
            },
            Reason::IntelCollateralSignature,
        ),
        ("leaf that is a CA", |world| world.entities[PCK].ca = true, Reason::IntelPck),
        ("CA that is a leaf", |world| world.entities[CA].ca = false, Reason::ChainConstraints),
        ("a stray certificate", |world| world.carried[2] = SIGNER, Reason::IntelPck),
        ("PCK outdated", |world| world.entities[PCK].to = "2026-06-14T00:00:00Z", Reason::ChainValidity),
        ("CA not yet valid", |world| world.entities[CA].from = "2026-06-16T00:00:00Z", Reason::ChainValidity),
        (
            "signer outdated",
            |world| world.entities[SIGNER].to = "2026-06-14T00:00:00Z",
            Reason::ChainValidity,
        ),
        ("root outdated", |world| world.entities[ROOT].to = "2026-06-14T00:00:00Z", Reason::ChainValidity),
    ];
    check(rows);
}

#[test]
fn revocation_is_never_skipped() {
    let rows: &[Row] = &[
        ("PCK revoked", |world| world.lists[1].revoked.push(PCK as u64 + 1), Reason::CrlRevoked),
        ("CA revoked", |world| world.lists[0].revoked.push(CA as u64 + 1), Reason::CrlRevoked),
        ("signer revoked", |world| world.lists[0].revoked.push(SIGNER as u64 + 1), Reason::CrlRevoked),
        ("no list of the root", |world| drop(world.lists.remove(0)), Reason::CrlMissing),
        ("no list of the CA", |world| drop(world.lists.remove(1)), Reason::CrlMissing),
        ("root's list outdated", |world| world.lists[0].to = "2026-06-14T00:00:00Z", Reason::CrlStale),
        ("CA's list of the future", |world| world.lists[1].from = "2026-06-16T00:00:00Z", Reason::CrlStale),
        (
            "CA's list under another name",
            |world| world.lists[1].issuer = "Intel SGX Root CA",
            Reason::CrlMissing,
        ),
    ];
    check(rows);
}

#[test]
fn collateral_must_be_there_and_fit() {
    let rows: &[Row] = &[
        ("no TCB info", |world| world.tcb_info.clear(), Reason::IntelCollateralMissing),
        ("no QE identity", |world| world.identity.clear(), Reason::IntelCollateralMissing),
        ("no signer", |world| world.endorsed.clear(), Reason::IntelCollateralMissing),
        ("another FMSPC", |world| world.pck_extension.fmspc[5] = 1, Reason::IntelCollateralMatch),
        ("another PCE", |world| world.pck_extension.pce_id = [1, 0], Reason::IntelCollateralMatch),
        (
            "identity of another enclave",
            |world| world.identity = world.identity.replace("TD_QE", "QVE").replace("\"QE\"", "\"QVE\""),
            Reason::IntelCollateralMissing,
        ),
        (
            "TCB info outdated",
            |world| world.tcb_info = world.tcb_info.replace("2026-07-01", "2026-06-14"),
            Reason::IntelCollateralStale,
        ),
        (
            "TCB info of the future",
            |world| world.tcb_info = world.tcb_info.replace("2026-06-01", "2026-06-16"),
            Reason::IntelCollateralStale,
        ),
        (
            "QE identity outdated",
            |world| world.identity = world.identity.replace("2026-07-01", "2026-06-14"),
            Reason::IntelCollateralStale,
        ),
    ];
    check(rows);
}

#[test]
fn the_quoting_enclave_must_be_that_of_the_identity() {
    let rows: &[Row] = &[
        ("another signer", |world| world.quoting[128] ^= 1, Reason::IntelQeIdentity),
        ("another product", |world| world.quoting[256] ^= 4, Reason::IntelQeIdentity),
        ("MISCSELECT", |world| world.quoting[16] = 1, Reason::IntelQeIdentity),
        ("a debug enclave", |world| world.quoting[48] |= 2, Reason::IntelQeIdentity),
        ("with the provisioning key", |world| world.quoting[48] |= 0x10, Reason::IntelQeIdentity),
        ("out of date", |world| world.quoting[258] = 7, Reason::IntelTcbStatus),
        ("revoked", |world| world.quoting[258] = 5, Reason::IntelTcbRevoked),
        ("older than every level", |world| world.quoting[258] = 4, Reason::IntelTcbUnsupported),
    ];
    check(rows);
    // The mask leaves MODE64BIT and XFRM open.
    for kind in kinds() {
        let mut world = World::new(kind);
        world.quoting[48] ^= 4;
        world.quoting[56] ^= 0x10;
        judge(&world, "", NOW).unwrap_or_else(|rejection| panic!("{kind:?}: {rejection}"));
    }
}

#[test]
fn the_level_is_the_first_that_every_component_reaches() {
    let rows: &[Row] = &[
        ("one component short", |world| world.pck_extension.components[15] = 4, Reason::IntelTcbStatus),
        ("its advisory", |world| world.pck_extension.components[0] = 4, Reason::IntelTcbAdvisory),
        ("revoked", |world| world.pck_extension.components[7] = 3, Reason::IntelTcbRevoked),
        ("no level", |world| world.pck_extension.components[7] = 1, Reason::IntelTcbUnsupported),
        ("PCE below every level", |world| world.pck_extension.pce_svn = 10, Reason::IntelTcbUnsupported),
    ];
    check(rows);
    // The order of Intel's list does not count, nor does its date: the highest versions come first.
    for kind in kinds() {
        let mut world = World::new(kind);
        world.tcb_info = world
            .tcb_info
            .replace("2026-01-01T00:00:00Z\",\"tcbStatus", "2000-01-01T00:00:00Z\",\"tcbStatus");
        judge(&world, "", NOW).unwrap_or_else(|rejection| panic!("{kind:?}: {rejection}"));
    }
}

#[test]
fn a_td_must_be_sound() {
    let rows: &[Row] = &[
        ("debug", |world| world.td[120] |= 1, Reason::DebugEnabled),
        ("another bit of TUD", |world| world.td[120] |= 0x10, Reason::DebugEnabled),
        ("unknown attribute", |world| world.td[124] |= 1, Reason::TdxAttributes),
        ("XFAM without SSE", |world| world.td[128] = 1, Reason::TdxAttributes),
        ("XFAM with an unknown state", |world| world.td[131] = 1, Reason::TdxAttributes),
        ("module of another signer", |world| world.td[64] = 1, Reason::TdxModule),
        ("SEAM attributes", |world| world.td[112] = 1, Reason::TdxModule),
        ("module without identity", |world| world.td[1] = 2, Reason::TdxModule),
        ("module without identity", |world| world.td[1] = 2, Reason::IntelTcbUnsupported),
        ("module below its levels", |world| world.td[0] = 2, Reason::IntelTcbUnsupported),
        ("module out of date", |world| world.td[0] = 4, Reason::IntelTcbStatus),
        ("module's advisory", |world| world.td[0] = 4, Reason::IntelTcbAdvisory),
        ("microcode of the TD", |world| world.td[2] = 3, Reason::IntelTcbStatus),
        // Module up to date, platform not: the module never stands in for the platform.
        ("platform out of date", |world| world.pck_extension.components[3] = 4, Reason::IntelTcbStatus),
        (
            "first generation, out of date",
            |world| world.td[..2].copy_from_slice(&[4, 0]),
            Reason::IntelTcbStatus,
        ),
    ];
    check_kinds(&TDX, rows);
    // A TD that can be migrated has a service TD, whether its report shows one or not.
    let migratable: &[Row] = &[
        ("migratable", |world| world.td[123] |= 0x20, Reason::TdxServiceTd),
        ("extended service TDs", |world| world.td[122] |= 2, Reason::TdxServiceTd),
    ];
    check_kinds(&TDX, migratable);
    let service: &[Row] = &[("a service TD", |world| world.td[600] = 1, Reason::TdxServiceTd)];
    check_kinds(&TDX[1..], service);
    let mut bound = World::new(Kind::Tdx5);
    bound.td[600] = 1;
    let current: &[Row] = &[("a service TD now", |world| world.td[829] = 1, Reason::TdxServiceTd)];
    check_kinds(&[Kind::Tdx5Extended], current);
    let listed = format!("[tdx]\nservice_td = [\"01{}\"]\n", "00".repeat(47));
    judge(&bound, &listed, NOW).expect("the policy names the service TD");
    bound.td[123] |= 0x20;
    judge(&bound, &listed, NOW).expect("and the migration TD is that one");
    let mut first = World::new(Kind::Tdx4);
    first.td[1] = 0;
    judge(&first, "", NOW).expect("a module of the first generation is judged by the platform's level");
}

/// The module was updated under the TD: its launch is out of date, what runs now is not.
#[test]
fn a_td_may_be_told_to_relaunch() {
    fn status(change: fn(&mut World)) -> String {
        let mut world = World::new(Kind::Tdx5);
        world.td[0] = 4;
        change(&mut world);
        let rejection = judge(&world, "", NOW).expect_err("not up to date");
        let check = rejection.checks().failures().find(|check| check.reason == Reason::IntelTcbStatus);
        check.map(|check| check.found.to_string()).unwrap_or_else(|| rejection.to_string())
    }
    assert_eq!(status(|_| ()), "TDRelaunchAdvised");
    assert_eq!(status(|world| world.td[584] = 4), "OutOfDate", "runs on the old one, too");
    assert_eq!(status(|world| world.td[586] = 3), "OutOfDate", "microcode is old");
    assert_eq!(status(|world| world.pck_extension.components[0] = 4), "OutOfDate", "platform is old");
    assert_eq!(status(|world| world.quoting[258] = 7), "OutOfDate", "quoting enclave is old");
    let configure = |world: &mut World| {
        let from = "2026-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"},{\"tcb\":{\"sgx";
        assert!(world.tcb_info.contains(from));
        world.tcb_info = world.tcb_info.replace(from, &from.replace("UpToDate", "ConfigurationNeeded"));
    };
    assert_eq!(status(configure), "TDRelaunchAdvisedConfigurationNeeded");
    assert!(status(|world| world.td[585] = 9).contains("intel.tcb.unsupported"), "unknown module");
}

#[test]
fn an_enclave_must_be_sound() {
    let rows: &[Row] = &[
        ("debug", |world| world.enclave[48] |= 2, Reason::DebugEnabled),
        ("not initialized", |world| world.enclave[48] &= !1, Reason::SgxAttributes),
        ("unknown attribute", |world| world.enclave[50] = 1, Reason::SgxAttributes),
        ("without SSE", |world| world.enclave[56] = 1, Reason::SgxAttributes),
    ];
    check_kinds(&SGX, rows);
    let reserved: &[Row] = &[("reserved bytes", |world| world.enclave[20] = 1, Reason::EvidenceMalformed)];
    check_kinds(&SGX, reserved);
}

type PolicyRow = (Kind, &'static str, Reason);

/// An issuer's own limit takes the place of the general one, and a list of the policy makes a measurement an approved one.
#[test]
fn limits_and_lists_of_the_policy_count() {
    let ages = "[revocation]\nmax_age_seconds = 1\n\
        max_age_of = { \"Intel SGX Root CA\" = 1209600, \"Intel SGX PCK Platform CA\" = 1209600 }\n";
    let world = World::new(Kind::Tdx4);
    assert!(!judge(&world, ages, NOW).expect("both lists have a limit of their own").is_measured());
    let hash = format!("[tdx]\nhash = [\"{}\"]", "61".repeat(48));
    assert!(judge(&world, &hash, NOW).expect("it is listed").is_measured());
}

#[test]
fn policies_refuse_what_they_do_not_name() {
    let rows: &[PolicyRow] = &[
        (Kind::Sgx3, "[sgx]\nsigner = [\"{00*32}\"]", Reason::SgxSigner),
        (Kind::Sgx3, "[sgx]\nhash = [\"{00*32}\"]", Reason::MeasurementUnknown),
        (Kind::Sgx3, "[sgx]\nhash_blacklist = [\"{11*32}\"]", Reason::MeasurementDenied),
        (Kind::Sgx3, "[sgx]\nenclave_product_id = 4", Reason::SgxProduct),
        (Kind::Sgx3, "[sgx]\nenclave_security_version = 8", Reason::SgxVersion),
        (Kind::Sgx3, "[sgx.attributes]\nbits = { kss = \"set\" }", Reason::SgxAttributes),
        (Kind::Sgx3, "[sgx.attributes]\nbits = { mode64bit = \"clear\" }", Reason::SgxAttributes),
        (Kind::Sgx3, "[sgx]\nconfig_id = [\"{01*64}\"]", Reason::SgxConfiguration),
        (Kind::Sgx3, "[sgx]\nconfig_svn = 1", Reason::SgxConfiguration),
        (Kind::Sgx3, "[sgx]\nfamily_id = [\"{01*16}\"]", Reason::SgxConfiguration),
        (Kind::Sgx3, "[sgx]\nextended_product_id = [\"{01*16}\"]", Reason::SgxConfiguration),
        (Kind::Sgx3, "[sgx.tcb]\nminimum_evaluation = 20", Reason::IntelTcbEvaluation),
        (Kind::Tdx4, "[tdx]\nhash = [\"{00*48}\"]", Reason::MeasurementUnknown),
        (Kind::Tdx4, "[tdx]\nhash_blacklist = [\"{61*48}\"]", Reason::MeasurementDenied),
        (Kind::Tdx4, "[tdx]\nrtmr0 = [\"{64*48}\"]", Reason::TdxRegisters),
        (Kind::Tdx4, "[tdx]\nrtmr1 = [\"{63*48}\"]", Reason::TdxRegisters),
        (Kind::Tdx4, "[tdx]\nrtmr2 = [\"{63*48}\"]", Reason::TdxRegisters),
        (Kind::Tdx4, "[tdx]\nrtmr3 = [\"{63*48}\"]", Reason::TdxRegisters),
        (Kind::Tdx4, "[tdx]\nmr_config_id = [\"{00*48}\"]", Reason::TdxRegisters),
        (Kind::Tdx4, "[tdx]\nmr_owner = [\"{01*48}\"]", Reason::TdxRegisters),
        (Kind::Tdx4, "[tdx]\nmr_owner_config = [\"{01*48}\"]", Reason::TdxRegisters),
        (Kind::Tdx4, "[tdx]\nmr_seam = [\"{01*48}\"]", Reason::TdxModule),
        (Kind::Tdx4, "[tdx.attributes]\nbits = { pks = \"set\" }", Reason::TdxAttributes),
        (Kind::Tdx4, "[tdx.attributes]\nbits = { sept-ve-disable = \"clear\" }", Reason::TdxAttributes),
        (Kind::Tdx4, "[tdx.xfam]\nbits = { amx-data = \"set\" }", Reason::TdxAttributes),
        (Kind::Tdx4, "[tdx.xfam]\nbits = { avx512-opmask = \"clear\" }", Reason::TdxAttributes),
        (Kind::Tdx4, "[tdx.tcb]\nminimum_evaluation = 20", Reason::IntelTcbEvaluation),
        (Kind::Tdx4, "[tdx.tcb]\nmaximum_age_seconds = 1209599", Reason::IntelCollateralAge),
        (Kind::Tdx4, "[revocation]\nmax_age_seconds = 1209599", Reason::CrlAge),
        (Kind::Tdx4, "[revocation]\nmax_age_of = { \"Intel SGX Root CA\" = 1209599 }", Reason::CrlAge),
        (Kind::Tdx4, "[tdx.platform]\nfmspc = [\"{00*6}\"]", Reason::IntelPlatform),
        (Kind::Tdx4, "[tdx.platform]\ndenied_fmspc = [\"00906EA10000\"]", Reason::IntelPlatform),
        (Kind::Tdx4, "[tdx.platform]\ninstances = [\"{00*16}\"]", Reason::IntelPlatform),
        (Kind::Tdx4, "[tdx.platform]\ndenied_instances = [\"{BB*16}\"]", Reason::IntelPlatform),
        (Kind::Tdx4, "[tdx.platform]\ndenied_instances = [\"{AA*16}\"]", Reason::IntelPlatform),
        (Kind::Tdx4, "[accept]\ntees = [\"sgx\"]", Reason::TeeRefused),
    ];
    for &(kind, policy, reason) in rows {
        let world = World::new(kind);
        let rejection = judge(&world, &repeated(policy), NOW).expect_err(policy);
        let others = rejection.checks().failures().filter(|check| check.reason != reason).count();
        assert!(rejection.has(reason) && others == 0, "{policy}: {rejection}");
    }
}

#[test]
fn policies_accept_what_they_name() {
    for (kind, policy) in [
        (Kind::Sgx3, "[sgx]\nsigner = [\"{22*32}\"]\nhash = [\"{11*32}\"]\nhash_blacklist = [\"{22*32}\"]"),
        (
            Kind::Sgx3,
            "[sgx]\nenclave_product_id = 3\nenclave_security_version = 7\nfeatures = []\nmisc_select = []",
        ),
        (
            Kind::Sgx3,
            "[sgx]\nconfig_id = [\"{00*64}\"]\nattributes.bits = { init = \"set\", kss = \"clear\" }",
        ),
        (Kind::Tdx4, "[tdx]\nhash = [\"{61*48}\"]\nmr_config_id = [\"{62*48}\"]\nrtmr0 = [\"{63*48}\"]"),
        (
            Kind::Tdx4,
            "[tdx]\nattributes.bits = { sept-ve-disable = \"set\" }\nxfam.bits = { avx512-zmm16 = \"set\" }",
        ),
        (Kind::Tdx4, "[tdx.platform]\nfmspc = [\"00906ea10000\"]\ninstances = [\"{BB*16}\"]"),
        (Kind::Tdx4, "[tdx.platform]\ninstances = [\"{AA*16}\"]\nsmt = false\ncached_keys = false"),
        (Kind::Tdx4, "[tdx.tcb]\nminimum_evaluation = 19\nmaximum_age_seconds = 1209600"),
    ] {
        let judged = judge(&World::new(kind), &repeated(policy), NOW);
        judged.unwrap_or_else(|rejection| panic!("{policy}: {rejection}"));
    }
}

/// A policy that asks for a property refuses a platform that does not say.
#[test]
fn nothing_is_accepted_for_being_absent() {
    let mut world = World::new(Kind::Tdx4);
    world.pck_extension.flags.clear();
    judge(&world, "", NOW).expect("nobody asks");
    for flag in ["smt", "cached_keys", "dynamic_platform"] {
        let rejection = judge(&world, &format!("[tdx.platform]\n{flag} = false\n"), NOW).expect_err(flag);
        assert!(rejection.has(Reason::IntelPlatform), "{rejection}");
    }
    let mut enclave = World::new(Kind::Sgx3);
    enclave.enclave[48] |= 0x80;
    let rejection = judge(&enclave, "[sgx]\nfeatures = [\"CET\"]", NOW).expect_err("KSS is not listed");
    assert!(rejection.has(Reason::SgxAttributes), "{rejection}");
    judge(&enclave, "[sgx]\nfeatures = [\"KSS\"]", NOW).expect("KSS is listed");
    enclave.enclave[16] = 1;
    let rejection = judge(&enclave, "[sgx]\nmisc_select = []", NOW).expect_err("EXINFO is not listed");
    assert!(rejection.has(Reason::SgxAttributes), "{rejection}");
}

#[test]
fn exceptions_name_status_advisories_and_an_end() {
    fn exception(status: &str, advisories: &str, until: &str) -> String {
        format!(
            "[[sgx.tcb.accept]]\nstatus = \"{status}\"\nadvisories = [{advisories}]\nuntil = \"{until}\"\n\
             reason = \"fixed in July\"\n"
        )
    }
    let mut world = World::new(Kind::Sgx3);
    world.pck_extension.components[0] = 4;
    let (listed, later) = ("\"INTEL-SA-00001\"", "2026-07-01T00:00:00Z");
    let result = judge(&world, &exception("OutOfDate", listed, later), NOW).expect("excused");
    assert_eq!(verdict(&result).status.name(), "OutOfDate");
    judge(&world, &exception("OutOfDate", listed, NOW), NOW).expect("the last second");
    for (policy, reason) in [
        (exception("OutOfDate", listed, "2026-06-14T23:59:59Z"), Reason::IntelTcbStatus),
        (exception("ConfigurationNeeded", listed, later), Reason::IntelTcbStatus),
        (exception("OutOfDate", "", later), Reason::IntelTcbAdvisory),
        (exception("OutOfDate", "\"INTEL-SA-00002\"", later), Reason::IntelTcbAdvisory),
        ("[sgx]\nallowed_advisories = [\"INTEL-SA-00002\"]\n".into(), Reason::IntelTcbAdvisory),
    ] {
        let rejection = judge(&world, &policy, NOW).expect_err(&policy);
        assert!(rejection.has(reason), "{policy}: {rejection}");
    }
    // Two exceptions do not make one.
    world.quoting[258] = 7;
    let both = exception("OutOfDate", listed, later) + &exception("OutOfDate", "\"INTEL-SA-00002\"", later);
    let rejection = judge(&world, &both, NOW).expect_err("two advisories");
    assert!(rejection.has(Reason::IntelTcbStatus), "{rejection}");
    let one = exception("OutOfDate", "\"INTEL-SA-00001\", \"INTEL-SA-00002\"", later);
    judge(&world, &one, NOW).expect("one exception for both");
    judge(&world, "[sgx]\ntcb.any_status = true\n", NOW).expect("every status");
    world.quoting[258] = 5;
    let rejection = judge(&world, "[sgx]\ntcb.any_status = true\n", NOW).expect_err("revoked");
    assert!(rejection.has(Reason::IntelTcbRevoked), "{rejection}");
    for (status, reason) in [("Revoked", "r"), ("UpToDate", "r"), ("OutOfDate", " ")] {
        let text = exception(status, listed, later).replace("fixed in July", reason);
        assert!(Policy::from_toml(&text).is_err(), "{text}");
    }
}

/// The old Steward's list excuses every status but a revoked one, and no level that lists nothing.
#[test]
fn allowed_advisories_keep_their_meaning_without_its_hole() {
    let list = "[sgx]\nallowed_advisories = [\"INTEL-SA-00001\", \"INTEL-SA-00002\"]\n";
    let mut world = World::new(Kind::Sgx3);
    world.pck_extension.components[0] = 4;
    judge(&world, list, NOW).expect("listed");
    world.pck_extension.components[0] = 3;
    let rejection = judge(&world, list, NOW).expect_err("revoked");
    assert!(rejection.has(Reason::IntelTcbRevoked), "{rejection}");
    let mut silent = World::new(Kind::Sgx3);
    silent.pck_extension.components[0] = 4;
    silent.tcb_info = silent.tcb_info.replace(",\"advisoryIDs\":[\"INTEL-SA-00001\"]", "");
    let rejection = judge(&silent, list, NOW).expect_err("no advisory");
    assert!(rejection.has(Reason::IntelTcbStatus), "{rejection}");
}

/// MRCONFIGID and CONFIGID hold the workload's digest where the deployer expects one.
#[test]
fn the_workload_is_bound_at_launch() {
    for (kind, good) in [(Kind::Tdx4, [0x62; 48]), (Kind::Sgx3, [0; 48])] {
        let world = World::new(kind);
        let policy = Policy::from_toml(&policy(&world, "")).expect("valid");
        let now = Time::from_rfc3339(NOW).expect("valid");
        let evidence = Evidence::decode(&world.quote()).expect("decodes");
        let judge = |digest: [u8; 48]| {
            let reference = ReferenceValues { workload: Some(digest.to_vec()), ..ReferenceValues::default() };
            appraise(&evidence, &world.endorsements(), &reference, &policy, now)
        };
        judge(good).unwrap_or_else(|rejection| panic!("{kind:?}: {rejection}"));
        let rejection = judge([0x77; 48]).expect_err("another workload");
        assert!(rejection.has(Reason::WorkloadMismatch), "{kind:?}: {rejection}");
    }
}

/// The newest document counts: one that is valid before one that is not, and then the higher evaluation number.
#[test]
fn the_newest_document_is_used() {
    let mut world = World::new(Kind::Sgx3);
    let older = world.tcb_info.clone();
    let newer = older.replace("tcbEvaluationDataNumber\":19", "tcbEvaluationDataNumber\":20").replace(
        "2026-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"",
        "2026-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\"",
    );
    for (first, second) in [(&older, &newer), (&newer, &older)] {
        world.tcb_info = first.clone();
        let mut endorsements = world.endorsements();
        let document = world.document("tcbInfo", second);
        endorsements.add_document(DocumentKind::TcbInfo, &document).expect("decodes");
        let policy = policy(&world, "");
        let rejection = judge_with(&world.quote(), &endorsements, &policy, NOW).expect_err("newer");
        assert!(rejection.has(Reason::IntelTcbStatus), "{rejection}");
    }
    let outdated = newer.replace("2026-07-01", "2026-06-14");
    world.tcb_info = older;
    let mut endorsements = world.endorsements();
    endorsements.add_document(DocumentKind::TcbInfo, &world.document("tcbInfo", &outdated)).expect("decodes");
    judge_with(&world.quote(), &endorsements, &policy(&world, ""), NOW).expect("the valid one is used");
}

#[test]
fn documents_are_strict() {
    let world = World::new(Kind::Tdx4);
    let good = world.document("tcbInfo", &world.tcb_info);
    let add = |kind, bytes: &[u8]| Endorsements::new(Vec::new()).add_document(kind, bytes);
    add(DocumentKind::TcbInfo, &good).expect("good");
    let text = String::from_utf8(good).expect("text");
    for (what, wrong) in [
        ("a key twice", text.replacen("\"version\":3", "\"version\":3,\"version\":3", 1)),
        ("an unknown key twice", text.replacen("\"version\":3", "\"x\":1,\"x\":1,\"version\":3", 1)),
        ("a component's key twice", text.replacen("{\"svn\":5}", "{\"svn\":5,\"svn\":6}", 1)),
        ("fifteen components", text.replacen("{\"svn\":5},", "", 1)),
        ("a large component", text.replacen("{\"svn\":5}", "{\"svn\":256}", 1)),
        ("a negative component", text.replacen("{\"svn\":5}", "{\"svn\":-1}", 1)),
        ("no PCESVN", text.replacen(",\"pcesvn\":11", "", 1)),
        ("an unknown status", text.replacen("UpToDate", "Fine", 1)),
        ("another version", text.replacen("\"version\":3", "\"version\":4", 1)),
        ("another type", text.replacen("\"tcbType\":0", "\"tcbType\":1", 1)),
        ("no module", text.replacen("\"tdxModule\"", "\"other\"", 1)),
        ("another date", text.replacen("2026-06-01T00:00:00Z", "2026-06-01", 1)),
        ("a short FMSPC", text.replacen("00906EA10000", "00906EA100", 1)),
        ("a short signature", text.replacen("\"signature\":\"", "\"signature\":\"00", 1)),
        ("another member", text.replacen("{\"tcbInfo\"", "{\"x\":1,\"tcbInfo\"", 1)),
        ("both members", text.replacen("{\"tcbInfo\"", "{\"enclaveIdentity\":{},\"tcbInfo\"", 1)),
        ("a tail", format!("{text}x")),
        (
            "depth",
            text.replacen(
                "\"version\":3",
                &format!("\"version\":3,\"x\":{}{}", "[".repeat(99), "]".repeat(99)),
                1,
            ),
        ),
    ] {
        assert_ne!(wrong, text, "{what}");
        assert!(add(DocumentKind::TcbInfo, wrong.as_bytes()).is_err(), "{what}");
    }
    assert!(add(DocumentKind::QeIdentity, text.as_bytes()).is_err(), "of another kind");
    assert!(add(DocumentKind::TcbInfo, &[b' '; 300 * 1024]).is_err(), "too large");
}

#[test]
fn envelopes_are_strict() {
    for kind in kinds() {
        let quote = World::new(kind).quote();
        let refused = |bytes: &[u8]| {
            let rejection = Evidence::decode(bytes).expect_err("malformed");
            assert!(
                rejection.has(Reason::EvidenceMalformed) || rejection.has(Reason::EvidenceUnknown),
                "{rejection}"
            );
        };
        for length in 0..quote.len() {
            refused(&quote[..length]);
        }
        refused(&[quote.as_slice(), &[0]].concat());
        refused(&[quote.as_slice(), &vec![0; 9000 - quote.len()]].concat());
        let mut padded = quote.clone();
        padded.resize(8192, 0);
        Evidence::decode(&padded).expect("the buffer of a host");
        padded[8191] = 1;
        refused(&padded);
        for (at, value) in [(0, 2), (0, 6), (2, 3), (4, 1), (12, 0)] {
            let mut wrong = quote.clone();
            wrong[at] = value;
            refused(&wrong);
        }
    }
}

#[test]
fn profiles_can_be_read() {
    for (name, _) in attest::policy::PROFILES {
        Policy::profile(name).expect("is shipped").unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// A lower floor accepts whatever a higher one does.
#[test]
fn raising_a_floor_never_accepts_more() {
    let world = World::new(Kind::Sgx3);
    let accepted = |policy: String| judge(&world, &policy, NOW).is_ok();
    let rising: [&dyn Fn(u64) -> String; 3] = [
        &|floor| format!("[sgx.tcb]\nminimum_evaluation = {floor}\n"),
        &|floor| format!("[sgx]\nenclave_security_version = {floor}\n"),
        &|floor| format!("[sgx.tcb]\nmaximum_age_seconds = {}\n", (30 - floor) * 86_400),
    ];
    for policy in rising {
        let verdicts: Vec<_> = (0..30).map(|floor| accepted(policy(floor))).collect();
        assert!(verdicts.is_sorted_by(|lower, higher| lower >= higher), "{verdicts:?}");
        assert!(verdicts[0] && !verdicts[29], "{verdicts:?}");
    }
}

/// Every single bit of a quote counts; quotes with short chains make that quick.
#[test]
fn every_flipped_bit_is_refused() {
    for kind in [Kind::Sgx3, Kind::Tdx5] {
        let world = World::new(kind);
        let quote = world.quote();
        let endorsements = world.endorsements().remembering(Arc::new(Everything::default()));
        let policy = policy(&world, "");
        let body = quote.len() - world.carried.len() * 500;
        for bit in (0..body * 8).chain((body * 8..quote.len() * 8).step_by(9)) {
            let mut flipped = quote.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let judged = judge_with(&flipped, &endorsements, &policy, NOW);
            assert!(judged.is_err(), "{kind:?}: byte {}, bit {}", bit / 8, bit % 8);
        }
    }
}

fn kinds() -> impl Iterator<Item = Kind> {
    SGX.into_iter().chain(TDX)
}

type Row = (&'static str, fn(&mut World), Reason);

const BASE: &str = "[freshness]\nbinding_required = false\n";

fn check(rows: &[Row]) {
    check_kinds(&kinds().collect::<Vec<_>>(), rows);
}

fn check_kinds(kinds: &[Kind], rows: &[Row]) {
    for &kind in kinds {
        for &(what, change, reason) in rows {
            let mut world = World::new(kind);
            change(&mut world);
            let rejection = judge(&world, "", NOW).expect_err(what);
            assert!(rejection.has(reason), "{kind:?}, {what}: {rejection}");
        }
    }
}

fn policy(world: &World, rules: &str) -> String {
    match rules.strip_prefix("[accept]\n") {
        Some(accept) => format!("[accept]\ndevelopment_roots = [\"{}\"]\n{accept}\n{BASE}", world.root()),
        None => format!("[accept]\ndevelopment_roots = [\"{}\"]\n{BASE}{rules}\n", world.root()),
    }
}

/// Writes `{ab*3}` as `ababab`.
fn repeated(text: &str) -> String {
    let mut parts = text.split('{');
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('}').and_then(|(inner, rest)| Some((inner.split_once('*')?, rest))) {
            Some(((digits, count), rest)) => {
                written += &digits.repeat(count.parse().expect("a count"));
                written += rest;
            }
            None => {
                written.push('{');
                written += part;
            }
        }
    }
    written
}

fn judge(world: &World, rules: &str, at: &str) -> Result<AttestationResult, Rejection> {
    judge_with(&world.quote(), &world.endorsements(), &policy(world, rules), at)
}

fn judge_with(
    quote: &[u8],
    endorsements: &Endorsements,
    policy: &str,
    at: &str,
) -> Result<AttestationResult, Rejection> {
    let policy = Policy::from_toml(policy).unwrap_or_else(|error| panic!("{error}: {policy}"));
    let now = Time::from_rfc3339(at).expect("valid");
    appraise(&Evidence::decode(quote)?, endorsements, &ReferenceValues::default(), &policy, now)
}

fn verdict(result: &AttestationResult) -> &Verdict {
    let platform = match &result.claims().detail {
        Detail::Sgx(detail) => &detail.platform,
        Detail::Tdx(detail) => &detail.platform,
        other => panic!("{other:?}"),
    };
    platform.verdict.as_ref().expect("an accepted platform has a verdict")
}
