//! Starts the programs that are compared, and tells what they cost.

use anyhow::{Context, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What is compared.
pub struct Setup {
    enarx: PathBuf,
    runtime: PathBuf,
    guests: PathBuf,
    /// The `wasmtime` program, if there is one.
    pub wasmtime: Option<PathBuf>,
    home: TempDir,
}

impl Setup {
    /// Everything built; a home of its own, and a cache for `wasmtime` in it.
    pub fn new(enarx: String, runtime: String, guests: String, wasmtime: String) -> Result<Self> {
        let wasmtime = (wasmtime != "-").then(|| PathBuf::from(wasmtime));
        let home = tempfile::tempdir()?;
        let setup =
            Self { enarx: enarx.into(), runtime: runtime.into(), guests: guests.into(), wasmtime, home };
        if let Some(mut command) = setup.wasmtime(&[]) {
            command.args(["config", "new"]).arg(setup.wasmtime_cache());
            command.stdout(Stdio::null()).status().context("wasmtime does not start")?;
        }
        Ok(setup)
    }

    /// A program of `tests/guests`: folder and name.
    pub fn guest(&self, folder: &str, name: &str) -> PathBuf {
        self.guests.join(folder).join(name).with_extension("wasm")
    }

    /// A folder that goes away with this program.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// `enarx run`, quiet, with these options.
    pub fn enarx(&self, options: &[&str]) -> Command {
        let mut command = self.enarx_loud();
        command.arg("--quiet").args(options);
        command
    }

    /// `enarx run`, which names its listeners.
    pub fn enarx_loud(&self) -> Command {
        let mut command = Command::new(&self.enarx);
        command.env_clear().env("HOME", self.home()).env("ENARX_RUNTIME", &self.runtime).arg("run");
        command
    }

    /// `wasmtime` with these arguments, if there is one.
    pub fn wasmtime(&self, args: &[&str]) -> Option<Command> {
        let mut command = Command::new(self.wasmtime.as_ref()?);
        command.env_clear().env("HOME", self.home()).args(args);
        Some(command)
    }

    /// `wasmtime run` that keeps machine code as `enarx run` does.
    pub fn wasmtime_cached(&self) -> Option<Command> {
        let cache = format!("cache-config={}", self.wasmtime_cache().display());
        self.wasmtime(&["run", "-C", "cache=y", "-C", &cache])
    }

    fn wasmtime_cache(&self) -> PathBuf {
        self.home().join("wasmtime.toml")
    }
}

/// What one run cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// From start to end.
    pub wall: Duration,
    /// Processor time of it and its children.
    pub cpu: Duration,
}

/// Runs to the end, without output.
pub fn cost(command: &mut Command) -> Result<Cost> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let (before, begin) = (children()?, Instant::now());
    let status = command.status()?;
    let cost = Cost { wall: begin.elapsed(), cpu: children()? - before };
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(cost)
}

/// Runs each of the commands once, again and again, and returns the median wall and processor time of each.
pub fn interleaved(rounds: usize, mut commands: Vec<Command>) -> Result<Vec<Cost>> {
    let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); commands.len()];
    for _ in 0..rounds {
        for (command, costs) in commands.iter_mut().zip(&mut costs) {
            costs.push(cost(command)?);
        }
    }
    let of = |costs: &Vec<Cost>, part: fn(&Cost) -> Duration| median(costs.iter().map(part).collect());
    Ok(costs.iter().map(|costs| Cost { wall: of(costs, |c| c.wall), cpu: of(costs, |c| c.cpu) }).collect())
}

/// The middle one.
pub fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values[values.len() / 2]
}

fn children() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let sum = usage.user_time() + usage.system_time();
    Ok(Duration::from_micros(sum.num_microseconds().try_into()?))
}

/// A process and its children, as `/proc` shows them.
pub struct Family(Vec<u32>);

impl Family {
    /// Those that exist now.
    pub fn of(id: u32) -> Result<Self> {
        let mut members = vec![id];
        let mut next = 0;
        while let Some(id) = members.get(next) {
            let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
            members.extend(children.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
            next += 1;
        }
        Ok(Self(members))
    }

    /// Processor time so far in seconds (proc_pid_stat(5), fields 14 and 15; hundredths of a second).
    pub fn cpu(&self) -> Result<f64> {
        let mut ticks = 0;
        for id in &self.0 {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
            let (_, fields) = stat.rsplit_once(')').context("no end of the name in /proc/PID/stat")?;
            ticks += fields
                .split_whitespace()
                .skip(11)
                .take(2)
                .filter_map(|word| word.parse::<u64>().ok())
                .sum::<u64>();
        }
        Ok(ticks as f64 / 100.0)
    }

    /// Largest resident size so far in megabytes, all members together.
    pub fn memory(&self) -> Result<f64> {
        let mut kibibytes = 0;
        for id in &self.0 {
            let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
            kibibytes += line.trim().trim_end_matches(" kB").parse::<u64>()?;
        }
        Ok(kibibytes as f64 * 1024.0 / 1e6)
    }
}

/// Milliseconds in words.
pub fn ms(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}

/// The first divided by the second.
pub fn ratio(ours: Duration, theirs: Duration) -> f64 {
    ours.as_secs_f64() / theirs.as_secs_f64()
}
