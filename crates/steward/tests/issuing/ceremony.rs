//! Authorities over the years: first keys, new issuing keys, a rollover with overlap; nothing is overwritten.

use attest::roots::Grade as Root;
use attest::time::Time;
use steward::ca::directory::{Directory, Role, to_pem};
use steward::ca::pkcs11::Libraries;
use steward::ca::rollover::{
    Charter, Circumstances, RolloverError, State, init, inspect, intermediate, rotate,
};
use steward::ca::source::{KeySource, Surroundings};
use steward::ca::{Authority, Curve};
use steward::issue::Grade;

use crate::keep::{Keep, profile_of};
use crate::tools::{Desk, time};

const DAY: u64 = 24 * 60 * 60;

fn nothing(_: &str) -> Option<String> {
    None
}

fn random() -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).ok().map(|()| bytes)
}

/// Takes a step at a time.
fn at<T>(now: Time, step: impl FnOnce(&Circumstances<'_>) -> T) -> T {
    let libraries = Libraries::default();
    let surroundings = Surroundings { environment: &nothing, libraries: &libraries };
    step(&Circumstances { surroundings: &surroundings, random: &random, now, token: None, root_key: None })
}

fn charter(grade: Grade) -> Charter {
    Charter { name: "Example, Inc.".into(), grade, curve: Curve::P384 }
}

fn open(directory: &Directory, now: Time) -> Vec<Authority> {
    at(now, |circumstances| directory.open(circumstances.surroundings, now)).expect("opens").authorities
}

/// The clock of keeps on SEV-SNP.
fn start() -> Time {
    time(crate::snp::NOW)
}

#[test]
fn a_rollover_overlaps_for_peers_that_trust_either_root() {
    let Some(openssl) = Desk::new("openssl") else { return };
    let folder = tempfile::tempdir().expect("folder");
    let directory = Directory::new(folder.path().join("ca"));
    let before = Time(start().0 - 400 * DAY);
    at(before, |circumstances| init(&directory, &charter(Grade::Production), circumstances)).expect("begins");
    let yesterday = Time(start().0 - DAY);
    at(yesterday, |circumstances| intermediate(&directory, circumstances)).expect("renews");
    at(start(), |circumstances| rotate(&directory, circumstances)).expect("rolls over");

    // The first issuing key has expired; the two others are valid, the newest issues.
    let authorities = open(&directory, start());
    let names: Vec<&str> = authorities.iter().map(|authority| authority.issuing().common_name()).collect();
    assert_eq!(names, ["Example, Inc. issuing 3", "Example, Inc. issuing 2"]);
    let (keep, court) = Keep::snp(Root::Vendor, |_, _| {});
    let profile = profile_of(Grade::Production, "dns = [\"keep.example\"]");
    for (generation, authority) in [(3, &authorities[0]), (2, &authorities[1])] {
        let issued = keep.ask(&court, &profile, authority).expect("issued");
        let above: Vec<&[u8]> =
            authority.intermediates().iter().map(|certificate| certificate.der()).collect();
        openssl.write("leaf.pem", to_pem(&[&issued.certificate])).write("chain.pem", to_pem(&above));
        for root in [1, 2] {
            let certificates = directory.certificates(Role::Root, root).expect("reads");
            openssl.write("root.pem", to_pem(&[&certificates[0]]));
            let at = start().0.to_string();
            let (holds, text) = openssl.try_run(&[
                "verify",
                "-x509_strict",
                "-attime",
                &at,
                "-CAfile",
                "root.pem",
                "-untrusted",
                "chain.pem",
                "leaf.pem",
            ]);
            // What the second issuing key signed knows the first root only.
            assert_eq!(
                holds,
                generation == 3 || root == 1,
                "generation {generation} under root {root}: {text}"
            );
        }
    }
}

#[test]
fn after_the_old_root_the_new_one_stands_alone() {
    let folder = tempfile::tempdir().expect("folder");
    let directory = Directory::new(folder.path());
    at(start(), |circumstances| init(&directory, &charter(Grade::Lab), circumstances)).expect("begins");
    let late = Time(start().0 + 20 * 365 * DAY - 10 * DAY);
    at(late, |circumstances| rotate(&directory, circumstances)).expect("rolls over");
    assert_eq!(open(&directory, late)[0].chain().len(), 3);
    let after = Time(late.0 + 20 * DAY);
    let authorities = open(&directory, after);
    assert_eq!((authorities.len(), authorities[0].chain().len()), (1, 1));
    let roots =
        at(after, |circumstances| directory.open(circumstances.surroundings, after)).expect("opens").roots;
    assert_eq!(roots.len(), 1);
    assert_eq!(roots[0].common_name(), "Example, Inc. root 2 (lab, not for production)");
    let gone = Time(after.0 + 366 * DAY);
    let refused =
        at(gone, |circumstances| directory.open(circumstances.surroundings, gone)).expect_err("expired");
    assert!(refused.to_string().contains("no issuing key"), "{refused}");
}

#[test]
fn nothing_is_overwritten_and_the_root_may_be_kept_elsewhere() {
    let folder = tempfile::tempdir().expect("folder");
    let directory = Directory::new(folder.path());
    at(start(), |circumstances| init(&directory, &charter(Grade::Lab), circumstances)).expect("begins");
    let key = || std::fs::read(folder.path().join("root-1.key")).expect("reads");
    let first = key();
    let again = at(start(), |circumstances| init(&directory, &charter(Grade::Lab), circumstances));
    assert!(matches!(again, Err(RolloverError::Begun(_))));
    assert!(directory.write_key(Role::Root, 1, "other").is_err());
    assert_eq!(key(), first);
    let away = folder.path().join("safe");
    std::fs::rename(folder.path().join("root-1.key"), &away).expect("moved");
    assert!(!open(&directory, start()).is_empty(), "issuing needs no root key");
    let refused =
        at(start(), |circumstances| intermediate(&directory, circumstances)).expect_err("no root key");
    assert!(refused.hint().contains("--root-key"), "{}", refused.hint());
    let root_key = KeySource::File(away);
    at(start(), |circumstances| {
        intermediate(&directory, &Circumstances { root_key: Some(&root_key), ..*circumstances })
    })
    .expect("renews");
    let states: Vec<State> =
        inspect(&directory, start()).expect("reads").iter().map(|entry| entry.state).collect();
    assert_eq!(states, [State::Valid, State::Valid, State::Issues]);
    let early = Time(start().0 - 3600);
    assert!(inspect(&directory, early).expect("reads").iter().all(|entry| entry.state == State::Future));
    let refused = at(early, |circumstances| {
        rotate(&directory, &Circumstances { root_key: Some(&root_key), ..*circumstances })
    });
    assert!(matches!(refused, Err(RolloverError::RootInvalid { .. })), "{refused:?}");
}

#[test]
#[cfg(unix)]
fn keys_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("folder");
    let directory = Directory::new(folder.path());
    at(start(), |circumstances| init(&directory, &charter(Grade::Lab), circumstances)).expect("begins");
    for name in ["root-1.key", "issuing-1.key"] {
        let found = std::fs::metadata(folder.path().join(name)).expect("there");
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{name}");
    }
}
