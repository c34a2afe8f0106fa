//! A PostgreSQL of its own for a test: in a temporary directory, on a Unix socket, gone with the test.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Nobody, as Debian numbers it: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65534;

/// A server that is running.
pub struct Postgres {
    directory: TempDir,
    programs: PathBuf,
}

impl Postgres {
    /// Starts one. Without PostgreSQL on this machine it says so, and fails where `ENARX_REQUIRE` names `postgres`.
    #[expect(clippy::print_stderr, reason = "says why the test is skipped")]
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            let required = std::env::var_os("ENARX_REQUIRE").unwrap_or_default();
            let required = required.to_string_lossy().split(',').any(|name| name == "postgres");
            assert!(!required, "ENARX_REQUIRE names `postgres`, which this machine lacks");
            eprintln!("skipped: no PostgreSQL in /usr/lib/postgresql");
            return None;
        };
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path().metadata().expect("a directory").uid() == 0;
        if root {
            chown(directory.path(), Some(NOBODY), Some(NOBODY)).expect("another owner");
        }
        let server = Self { directory, programs };
        server.run("initdb", &["--auth=trust", "--username=steward", "--no-sync", "--encoding=UTF8"]);
        let socket = server.directory.path().display();
        let options = format!("-k {socket} -c listen_addresses= -c fsync=off");
        let log = server.directory.path().join("log");
        server.run("pg_ctl", &["--wait", "--log", &log.to_string_lossy(), "--options", &options, "start"]);
        Some(server)
    }

    /// The address of its database.
    pub fn url(&self) -> String {
        let socket = self.directory.path().to_string_lossy().replace('/', "%2F");
        format!("postgres://steward@{socket}/postgres")
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let output = self.command(program, arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}: {told}");
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).arg("--pgdata").arg(self.directory.path().join("data"));
        // What `pg_ctl` leaves running must not hold the pipes of this test.
        command.current_dir(self.directory.path()).stdin(std::process::Stdio::null());
        if self.directory.path().metadata().expect("a directory").uid() == NOBODY {
            command.uid(NOBODY).gid(NOBODY);
        }
        match program {
            "pg_ctl" => {
                let status =
                    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).status();
                Output { status: status.expect("pg_ctl"), stdout: Vec::new(), stderr: Vec::new() }
            }
            _ => command.output().expect("a program of PostgreSQL"),
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.command("pg_ctl", &["--mode=immediate", "stop"]);
    }
}

/// Where Debian has the newest version's programs.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<PathBuf> = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    found.retain(|path| Path::new(path).join("initdb").exists());
    found.sort();
    found.pop()
}
