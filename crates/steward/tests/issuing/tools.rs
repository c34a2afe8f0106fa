//! Programs that judge what we make, and authorities that make it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use attest::time::{Time, Window};
use steward::ca::ceremony::Ceremony;
use steward::ca::directory::to_pem;
use steward::ca::key::MemoryKey;
use steward::ca::{Authority, Curve, Signer};
use steward::issue::Grade;
use steward::issue::serial::Serial;
use tempfile::TempDir;

/// Whether a test that needs `tool` can run. If not it says so, and fails where `ENARX_REQUIRE` names the tool.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test reads its environment and says what it skips"
)]
pub fn available(tool: &str, present: bool) -> bool {
    if !present {
        let required = std::env::var("ENARX_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|name| name.trim() == tool), "ENARX_REQUIRE names `{tool}`");
        eprintln!("skipped: this machine lacks `{tool}`");
    }
    present
}

/// The program of this name on `PATH`.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    available(program, found.is_some()).then_some(found).flatten()
}

/// A folder with files for a program, and the program.
pub struct Desk {
    program: PathBuf,
    folder: TempDir,
}

impl Desk {
    pub fn new(program: &str) -> Option<Self> {
        Some(Self { program: find(program)?, folder: tempfile::tempdir().expect("folder") })
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.folder.path().join(name), bytes).expect("written");
        self
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(name)).expect("read")
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs the program, which must succeed; answers what it printed.
    pub fn run(&self, arguments: &[&str]) -> String {
        let (success, printed) = self.try_run(arguments);
        assert!(success, "{arguments:?}: {printed}");
        printed
    }

    pub fn try_run(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(&self.program).args(arguments).current_dir(self.folder.path()).output();
        let output = output.expect("starts");
        let printed = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&printed).into_owned())
    }
}

pub fn time(text: &str) -> Time {
    Time::from_rfc3339(text).expect("a time")
}

pub fn serial(number: u8) -> Serial {
    Serial::random([number; 16])
}

/// A root and an issuing key below it.
pub fn authority(grade: Grade, curve: Curve) -> Authority {
    let validity = Window { from: time("2020-01-01T00:00:00Z"), to: time("2060-01-01T00:00:00Z") };
    authority_of("Example", grade, curve, validity)
}

pub fn authority_of(name: &str, grade: Grade, curve: Curve, validity: Window) -> Authority {
    let key = || Arc::new(MemoryKey::generate(curve).expect("a key"));
    let (root, issuing): (Arc<dyn Signer>, Arc<dyn Signer>) = (key(), key());
    let number = serial(1);
    let ceremony = Ceremony { name, grade, generation: 1, validity, serial: &number };
    let certificate = ceremony.root(root.as_ref()).expect("signs");
    let above = Authority::new(root, std::slice::from_ref(&certificate)).expect("a root");
    let number = serial(2);
    let below = Ceremony { serial: &number, ..ceremony };
    let chain = [below.intermediate(issuing.spki(), &above).expect("signs"), certificate];
    Authority::new(issuing, &chain).expect("an authority")
}

/// The chain above certificates as PEM: intermediates, and the root.
pub fn pems(authority: &Authority) -> (String, String) {
    let chain: Vec<&[u8]> = authority.chain().iter().map(|certificate| certificate.der()).collect();
    let (root, intermediates) = chain.split_last().expect("not empty");
    (to_pem(intermediates), to_pem(&[root]))
}
