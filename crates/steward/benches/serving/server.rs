//! The server as a process of its own.

use crate::keep::Court;
use crate::yard::Yard;
use attest::time::Time;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use steward::cli::Serve;
use steward::command::Environment;
use steward::settings::Settings;

/// Processor ticks per second of /proc (USER_HZ, proc(5)): the same on every Linux there is.
const TICKS: f64 = 100.0;

/// A running server.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub root: Vec<u8>,
    _yard: Yard,
}

impl Server {
    /// Starts one that judges as the court does.
    pub async fn start(court: &Court, limits: &str) -> Self {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let yard = Yard::new(court, "");
        let at = |name: &str| yard.folder.path().join(name);
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        std::fs::write(at("tls.pem"), made.cert.pem()).expect("written");
        std::fs::write(at("tls.key"), made.signing_key.serialize_pem()).expect("written");
        yard.set(&format!(
            "server.listen = [\"0.0.0.0:{port}\"]\nserver.log.level = \"warn\"\n\
             server.tls.certificate = \"{}\"\nserver.tls.key = \"{}\"\n{limits}",
            at("tls.pem").display(),
            at("tls.key").display()
        ));
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        command.args(["serve", &yard.folder.path().display().to_string(), &yard.now.0.to_string()]);
        let child = command.stdin(Stdio::null()).spawn().expect("starts");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let server = Self { child, address, root: made.cert.der().to_vec(), _yard: yard };
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server does not listen");
    }

    /// Processor time so far.
    pub fn processor(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
        let ticks = |place: usize| fields[place].parse::<f64>().expect("a number");
        // utime and stime, fields 14 and 15 of proc_pid_stat(5); the state is field 3.
        Duration::from_secs_f64((ticks(11) + ticks(12)) / TICKS)
    }

    /// A size of status: `VmRSS` now, `VmHWM` the largest so far; in MiB.
    pub fn memory(&self, name: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with(name)).expect("there is such a line");
        let kib: f64 = line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number");
        kib / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The child's side: folder and time in, a server that ends when it is killed.
pub fn serve(words: &[String]) {
    let [folder, now] = words else { panic!("a folder and a time") };
    let now = Time(now.parse().expect("seconds"));
    let environment = Environment { variables: Vec::new().into(), clock: Arc::new(move || now) };
    let config = Some(PathBuf::from(folder).join("steward.toml"));
    let arguments = Serve { config, ..Serve::default() };
    let settings = Settings::for_serving(&arguments, &environment).expect("good settings");
    steward::command::serve::run(settings, &environment).expect("serves");
}
