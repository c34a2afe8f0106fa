//! Builds ring 0 of KVM keeps and hands its bytes to the crate.
//!
//! A build of its own in a folder of its own: another target, other flags, no lock shared with the build around it. Paths
//! of this machine are mapped away, so that two checkouts give the same bytes and one measurement. `ENARX_SHIM_KVM` names a
//! shim built elsewhere.

use std::env;
use std::path::PathBuf;
use std::process::Command;

const TARGET: &str = "x86_64-unknown-none";
/// Separates flags in `CARGO_ENCODED_RUSTFLAGS`.
const SEPARATOR: &str = "\x1f";

#[expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts through the environment")]
fn variable(name: &str) -> Option<String> {
    println!("cargo:rerun-if-env-changed={name}");
    env::var(name).ok()
}

fn main() {
    let cargo = |name: &str| variable(name).unwrap_or_else(|| panic!("cargo sets {name}"));
    let hosts = cargo("CARGO_CFG_TARGET_OS") == "linux" && cargo("CARGO_CFG_TARGET_ARCH") == "x86_64";
    if !hosts {
        return;
    }
    let shim = variable("ENARX_SHIM_KVM").map_or_else(build, PathBuf::from);
    println!("cargo:rerun-if-changed={}", shim.display());
    println!("cargo:rustc-env=SHIM_KVM={}", shim.display());
}

fn build() -> PathBuf {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let root = manifest.ancestors().nth(2).expect("crates/keep lies two folders deep").to_owned();
    for source in ["crates/abi", "crates/shim-kvm", "Cargo.toml"] {
        println!("cargo:rerun-if-changed={}", root.join(source).display());
    }
    // One folder for all profiles of the outer build: …/target/<profile>/build/keep-…/out.
    let out = PathBuf::from(variable("OUT_DIR").expect("cargo sets OUT_DIR"));
    let target = out.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file()).unwrap_or(&out);
    let target = target.join("keep-image");
    let home = |name: &str, folder: &str| {
        variable(name).or_else(|| Some(format!("{}/{folder}", variable("HOME")?))).unwrap_or_default()
    };
    let flags = [
        "-Crelocation-model=static".to_owned(),
        format!("--remap-path-prefix={}=/enarx", root.display()),
        format!("--remap-path-prefix={}=/cargo", home("CARGO_HOME", ".cargo")),
        format!("--remap-path-prefix={}=/rustup", home("RUSTUP_HOME", ".rustup")),
    ];
    let mut command = Command::new(variable("CARGO").expect("cargo sets CARGO"));
    command.current_dir(&root).args(["build", "--quiet", "--locked", "--package", "shim-kvm"]);
    command.args(["--profile", "shim", "--target", TARGET]);
    // What the outer build was told is not meant for this one.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let ours = name.starts_with("CARGO_") && name != "CARGO_HOME" && !name.starts_with("CARGO_NET");
        if ours || name.starts_with("RUSTC") || name == "RUSTFLAGS" || name == "RUSTDOCFLAGS" {
            command.env_remove(name);
        }
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join(SEPARATOR)).env("CARGO_TARGET_DIR", &target);
    let built = command.status().expect("cargo starts");
    assert!(
        built.success(),
        "the shim of KVM keeps could not be built; if its target is missing: rustup target add {TARGET}"
    );
    target.join(TARGET).join("shim").join("shim-kvm")
}
