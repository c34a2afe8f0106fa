//! The program itself: what it says of mistakes, and how it lives under systemd.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

fn steward() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steward"));
    command.env_clear();
    command
}

fn run(arguments: &[&str]) -> Output {
    steward().args(arguments).output().expect("runs")
}

#[test]
fn mistakes_are_told_with_a_way_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |text: &str, words: &[&str]| {
        let path = folder.path().join("steward.toml");
        std::fs::write(&path, text).expect("written");
        let output = run(&["config", "check", "-c", &path.display().to_string()]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}: {said}");
        words.iter().for_each(|word| assert!(said.contains(word), "no {word} in: {said}"));
    };
    let lab = "[profiles.lab]\ngrade = \"lab\"\nkey = \"throwaway:\"\npolicy = \"lab\"\ntemplate.trust_domain = \"x\"\n";
    check("[profile.lab]\n", &["`profile`", "hint: did you mean `profiles`?"]);
    check(&format!("{lab}[server]\nlistn = []\n"), &["line 7", "hint: did you mean `listen`?"]);
    check(&format!("{lab}[server]\nlisten = [\"nowhere\"]\n"), &["`nowhere` is neither"]);
    check(&lab.replace("\"lab\"\nkey", "\"production\"\nkey"), &["profile `lab`", "which key signs"]);
    check(&lab.replace("policy = \"lab\"", "policy = \"strickt\""), &["strickt"]);
    check(&format!("default_profile = \"x\"\n{lab}"), &["the default profile `x`"]);
    check(&format!("{lab}{}", lab.replace("profiles.lab", "profiles.two")), &["set `default_profile`"]);
    let no_settings = run(&["serve"]);
    assert_eq!(no_settings.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&no_settings.stderr).contains("steward serve --dev"));
    assert_eq!(run(&["--key", "x"]).status.code(), Some(1));
    assert_eq!(run(&["--version"]).status.code(), Some(0));
}

/// A running Steward that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("it runs");
    }
}

#[test]
fn systemd_hears_of_readiness_reload_and_stop() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let systemd = UnixDatagram::bind(at("notify")).expect("bound");
    systemd.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
    let hear = |wanted: &str| {
        let mut buffer = [0; 1024];
        loop {
            let length = systemd.recv(&mut buffer).expect("systemd is told");
            if String::from_utf8_lossy(&buffer[..length]).contains(wanted) {
                return;
            }
        }
    };
    let mut command = steward();
    command.args(["serve", "--dev", "--log", "json"]);
    // Plain HTTP for administrators: the throw-away certificate is nobody's.
    command.args(["--listen", "127.0.0.1:0", "--admin", &format!("unix:{}", at("admin").display())]);
    command.env("NOTIFY_SOCKET", at("notify")).env("WATCHDOG_USEC", "200000").stderr(Stdio::piped());
    let mut running = Running(command.spawn().expect("starts"));
    hear("READY=1");
    hear("WATCHDOG=1");
    assert!(get(&at("admin"), "/readyz").contains(r#"{"ready":true,"reasons":{}}"#));
    assert!(get(&at("admin"), "/metrics").contains("steward_connections 1"));
    running.signal(Signal::HUP);
    hear("RELOADING=1");
    hear("READY=1");
    running.signal(Signal::TERM);
    hear("STOPPING=1");
    assert!(running.0.wait().expect("ends").success());
    let stderr = BufReader::new(running.0.stderr.take().expect("piped"));
    for line in stderr.lines() {
        let line = line.expect("text");
        assert!(line.starts_with('{') && line.contains(r#""level":"#), "{line}");
    }
}

fn get(socket: &Path, path: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("connects");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer
}
