//! One `enarx run`: what it is given, and how it ended.

use crate::pattern::matches;
use crate::programs::programs;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No test lasts longer than this on any machine; a keep that does is stopped, and its test fails.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// `enarx` with nothing of the user's environment but `PATH`: an empty home of its own, this checkout's runtime.
pub fn enarx(home: &Path) -> Command {
    let mut command = Command::new(&programs().enarx);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", home).env("ENARX_RUNTIME", &programs().runtime).current_dir(home);
    command
}

/// An `enarx run` to be started.
pub struct Run {
    home: Home,
    options: Vec<OsString>,
    wasm: PathBuf,
    args: Vec<String>,
    stdin: Vec<u8>,
    environment: Vec<(&'static str, OsString)>,
}

enum Home {
    Own(TempDir),
    Shared(PathBuf),
}

impl Home {
    fn path(&self) -> &Path {
        match self {
            Self::Own(folder) => folder.path(),
            Self::Shared(path) => path,
        }
    }
}

impl Run {
    /// A run of this workload, without manifest, with empty standard input.
    pub fn new(wasm: impl Into<PathBuf>) -> Self {
        let home = Home::Own(tempfile::tempdir().expect("a temporary folder"));
        let (wasm, nothing) = (wasm.into(), Vec::new());
        Self { home, options: Vec::new(), wasm, args: Vec::new(), stdin: nothing, environment: Vec::new() }
    }

    /// A run of a module given as WebAssembly text.
    pub fn wat(text: &str) -> Self {
        Self::bytes(&wat::parse_str(text).expect("WebAssembly text"))
    }

    /// A run of a file with these bytes.
    pub fn bytes(bytes: &[u8]) -> Self {
        let mut run = Self::new("");
        run.wasm = run.home().join("main.wasm");
        std::fs::write(&run.wasm, bytes).expect("a written module");
        run
    }

    /// The folder that is home and working directory.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Shares the home, and so the compile cache, of other runs.
    pub fn at_home(mut self, home: &Path) -> Self {
        self.home = Home::Shared(home.to_owned());
        self
    }

    /// Runs with this text as manifest.
    pub fn manifest(self, text: &str) -> Self {
        let path = self.home().join("Enarx.toml");
        std::fs::write(&path, text).expect("a written manifest");
        self.options(["--config".into(), path.into_os_string()])
    }

    /// Adds options of `enarx run`.
    pub fn options<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, options: I) -> Self {
        self.options.extend(options.into_iter().map(|option| option.as_ref().to_owned()));
        self
    }

    /// Adds arguments of the workload.
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|&arg| arg.to_owned()));
        self
    }

    /// Gives these bytes on standard input.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Sets a variable of the host's environment.
    pub fn environment(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Runs to the end.
    pub fn end(self) -> Ended {
        self.start().end()
    }

    /// Starts it; its standard input stays open until the end is awaited.
    pub fn start(self) -> Keep {
        let mut command = enarx(self.home());
        command.arg("run").args(keep_kind()).args(&self.options).arg(&self.wasm).arg("--").args(&self.args);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("enarx starts");
        let (stdin, input) = (child.stdin.take(), self.stdin);
        let stdin = if input.is_empty() { stdin } else { feed(stdin, input) };
        let stdout = Stream::collect(child.stdout.take());
        let stderr = Stream::collect(child.stderr.take());
        Keep { child, stdin, stdout, stderr, _home: self.home }
    }
}

/// The options that choose the kind of keep: `ENARX_KEEP` names it, and what holds of one kind holds of all.
fn keep_kind() -> Vec<OsString> {
    std::env::var_os("ENARX_KEEP").map_or_else(Vec::new, |kind| vec!["--keep".into(), kind])
}

/// Writes all of it from a thread, for a workload may answer before it has read everything, or never read it.
fn feed(stdin: Option<ChildStdin>, input: Vec<u8>) -> Option<ChildStdin> {
    let mut stdin = stdin?;
    thread::spawn(move || stdin.write_all(&input));
    None
}

/// A running `enarx run`.
pub struct Keep {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Stream,
    stderr: Stream,
    _home: Home,
}

impl Keep {
    /// Waits until the listener of this name is bound, and returns its address.
    pub fn address(&self, listener: &str) -> SocketAddr {
        let told = |text: &str| {
            let complete = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            let mut lines = complete.filter(|line| line.contains(listener));
            lines.find_map(|line| line.split_once("listens on ")?.1.split_whitespace().next()?.parse().ok())
        };
        self.stderr.wait(told).unwrap_or_else(|text| panic!("`{listener}` is not bound; stderr:\n{text}"))
    }

    /// Waits until standard output contains this text.
    pub fn printed(&self, text: &str) {
        let seen = |output: &str| output.contains(text).then_some(());
        self.stdout.wait(seen).unwrap_or_else(|output| panic!("no `{text}` on stdout:\n{output}"));
    }

    /// Stops `enarx run` itself, as a user's kill would.
    pub fn kill(mut self) -> Ended {
        self.child.kill().expect("a running process");
        self.end()
    }

    /// The process that is `enarx run`.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Closes standard input and waits for the end. That is when output and errors are closed, too: nothing of a keep
    /// stays behind.
    pub fn end(mut self) -> Ended {
        drop(self.stdin.take());
        let stdout = self.stdout.end();
        let stderr = self.stderr.end();
        let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
            self.child.kill().expect("a running process");
            let (stdout, stderr) = (self.stdout.text(), self.stderr.text());
            panic!("not over after {DEADLINE:?}; stdout:\n{stdout}\nstderr:\n{stderr}");
        };
        let status = self.child.wait().expect("an ended process");
        let stderr = String::from_utf8(stderr).expect("messages in UTF-8");
        Ended { code: status.code(), stdout, stderr }
    }
}

impl Drop for Keep {
    /// A failed test leaves no keep behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How `enarx run` ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; none: a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: String,
}

impl Ended {
    /// Compares everything; `[..]` in the two texts stands for anything.
    #[track_caller]
    pub fn check(&self, code: i32, stdout: &str, stderr: &str) {
        let printed = String::from_utf8_lossy(&self.stdout);
        assert_eq!(self.code, Some(code), "exit code; stdout:\n{printed}\nstderr:\n{}", self.stderr);
        assert!(
            matches(stdout, &printed),
            "stdout:\n{printed}\nexpected:\n{stdout}\nstderr:\n{}",
            self.stderr
        );
        assert!(matches(stderr, &self.stderr), "stderr:\n{}\nexpected:\n{stderr}", self.stderr);
    }
}

/// What a process has printed so far.
struct Stream(Arc<(Mutex<Printed>, Condvar)>);

#[derive(Default)]
struct Printed {
    bytes: Vec<u8>,
    closed: bool,
}

impl Stream {
    fn collect(source: Option<impl Read + Send + 'static>) -> Self {
        let shared = Arc::new((Mutex::new(Printed::default()), Condvar::new()));
        let (ours, mut source) = (shared.clone(), source.expect("a piped stream"));
        thread::spawn(move || {
            let mut buffer = [0; 64 << 10];
            loop {
                let read = source.read(&mut buffer);
                let mut printed = ours.0.lock().unwrap_or_else(PoisonError::into_inner);
                match read {
                    Ok(0) | Err(_) => printed.closed = true,
                    Ok(size) => printed.bytes.extend_from_slice(&buffer[..size]),
                }
                ours.1.notify_all();
                if printed.closed {
                    return;
                }
            }
        });
        Self(shared)
    }

    /// Waits until `seen` finds what it looks for; at the end of the stream or the deadline, returns all of it.
    fn wait<T>(&self, seen: impl Fn(&str) -> Option<T>) -> Result<T, String> {
        let deadline = Instant::now() + DEADLINE;
        let mut printed = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let text = String::from_utf8_lossy(&printed.bytes);
            if let Some(found) = seen(&text) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if printed.closed || left.is_zero() {
                return Err(text.into_owned());
            }
            let woken = self.0.1.wait_timeout(printed, left);
            printed = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for the end of the stream and takes all of it; none at the deadline.
    fn end(&self) -> Option<Vec<u8>> {
        let printed = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let woken = self.0.1.wait_timeout_while(printed, DEADLINE, |printed| !printed.closed);
        let (mut printed, timeout) = woken.unwrap_or_else(PoisonError::into_inner);
        (!timeout.timed_out()).then(|| std::mem::take(&mut printed.bytes))
    }

    fn text(&self) -> String {
        let printed = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&printed.bytes).into_owned()
    }
}
