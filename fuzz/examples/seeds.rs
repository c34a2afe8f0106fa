//! Writes a seed corpus for every target: samples that the tests' own hierarchy signs, nobody's genuine evidence.

#[allow(dead_code, reason = "tests use more of the hierarchy than seeds do")]
#[path = "../../crates/attest/tests/snp/hierarchy.rs"]
mod hierarchy;

use std::path::Path;
use std::{fs, io};

use attest::policy::PROFILES;
use hierarchy::{KEYS, Scene};

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let write = |target: &str, name: &str, bytes: &[u8]| {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), bytes)
    };
    for line in ["Milan", "Genoa", "Turin"] {
        let scene = Scene::of(line);
        write("snp_report", line, &scene.evidence(&KEYS))?;
        write("certificate", &format!("{line}-ask"), &scene.ask.der(&KEYS.ask, &KEYS.ark))?;
        if let Some(vek) = &scene.vek {
            write("certificate", &format!("{line}-vcek"), &vek.der(&KEYS))?;
        }
        for (number, list) in scene.lists.iter().enumerate() {
            write("crl", &format!("{line}-{number}"), &list.der(&scene.ark.subject, &KEYS))?;
        }
    }
    for (name, text) in PROFILES {
        write("policy", name, text.as_bytes())?;
    }
    write(
        "policy",
        "old-steward",
        b"[snp]\nabi = \">=1.0\"\npolicy_flags = [\"SMT\"]\nplatform_info_flags = \"SME\"\n",
    )
}
