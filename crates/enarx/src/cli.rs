//! The arguments, and nothing but: help, completions and man pages are made from this file.

use attest::snp::tcb::Line;
use attest::time::Time;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

const EXIT_CODES: &str = "\
Exit codes:
  0-255  the program's own, as it passed to proc_exit
  1      refused: a mistake in the command or in Enarx.toml, a file missing, a port in use
  2      a fault of Enarx or of this host
  124    the workload reached one of its limits
  125    the keep was stopped because it attempted what no workload may
  126    the file is no workload: not WebAssembly, invalid, or in need of what no keep has
  134    the workload trapped: a memory fault, an unreachable instruction, a stack overflow

Whenever the code is not the program's own, a line that begins with `error:` tells so on stderr.";

const ENVIRONMENT: &str = "\
Environment:
  ENARX_RUNTIME    path of the runtime image, unless --runtime names one
  ENARX_LOG        what is logged, such as `debug` or `keep=trace`; overrides -v
  NO_COLOR         no colours
  CLICOLOR_FORCE   colours even where nobody looks
  XDG_CACHE_HOME   compiled workloads are kept below it (default ~/.cache)
  XDG_STATE_HOME   the secret that authenticates them is kept below it (default ~/.local/state)";

const VERDICT_CODES: &str = "\
Exit codes:
  0   every piece of evidence is genuine and acceptable
  1   a mistake in the command, a file that cannot be read or holds no evidence
  2   a fault of Enarx or of this host
  10  malformed, or a signature, a chain or a binding does not hold
  11  the workload or its measurement is not an expected one
  12  the platform's security version is too low, or an advisory applies
  13  something that the chain depends on is revoked
  14  an endorsement is missing, outdated or not yet valid
  15  a debug, simulated or unattested environment
  16  another rule of the policy

If several apply, the first of 10, 13, 12, 14, 15, 11 and 16 decides; of several files, the first refused.";

/// Run WebAssembly workloads in keeps.
#[derive(Debug, Parser)]
#[command(name = "enarx", version, after_long_help = ENVIRONMENT, max_term_width = 110)]
#[command(disable_version_flag = true, arg_required_else_help = true)]
pub struct Cli {
    /// Log what is done; twice for more.
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
    /// Print neither warnings nor notes.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// Print the version; with --json as data.
    #[arg(short = 'V', long)]
    pub version: bool,
    /// With --version: print it as JSON.
    #[arg(long, requires = "version")]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Color {
    /// On terminals, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a workload in a keep.
    ///
    /// The workload is a WebAssembly core module for WASI 0.1 or a component for WASI 0.2. Without --config it has
    /// standard input, output and error, and nothing else; an Enarx.toml is read only if --config names it.
    #[command(after_long_help = EXIT_CODES)]
    Run(Run),
    /// Print the digests of what a keep is made of.
    ///
    /// They are the same on every machine: whoever has the same two images and the same limits gets the same digests.
    Measure(Measure),
    /// Write, check or show an Enarx.toml.
    #[command(subcommand)]
    Config(Config),
    /// Say what evidence is, and judge it.
    ///
    /// Reads quotes, reports, tokens, certification requests, RA-TLS certificates, attestation bundles, conceptual message
    /// wrappers and folders of configfs-tsm; binary, PEM or base64. Certificates, revocation lists and Intel's
    /// documents among the files serve as endorsements. Nothing is fetched.
    #[command(after_long_help = VERDICT_CODES)]
    Verify(Verify),
    /// Tell what this host offers, and keep what vendors say about it.
    #[command(subcommand)]
    Platform(Platform),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write man pages into a directory, or print that of `enarx`.
    Man {
        /// The directory.
        dir: Option<PathBuf>,
    },
}

/// What to run, and in which keep.
#[derive(Args, Debug)]
pub struct Run {
    /// The manifest, usually called Enarx.toml.
    #[arg(short, long, value_name = "FILE", alias = "wasmcfgfile")]
    pub config: Option<PathBuf>,
    /// The kind of keep.
    #[arg(long, value_name = "KIND", default_value = "auto", value_parser = keep_kind)]
    #[arg(help = "The kind of keep: auto, kvm or process")]
    pub keep: KeepKind,
    /// Give the workload a directory, as GUEST if named; `:ro` refuses changes. May be repeated.
    #[arg(long, value_name = "HOST[::GUEST][:ro]")]
    pub dir: Vec<String>,
    /// Set an environment variable of the workload; replaces that of the manifest. May be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub env: Vec<(String, String)>,
    /// Trust the certificates of this PEM file for outgoing TLS, instead of the web's.
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// The runtime image; without it, ENARX_RUNTIME, then the one installed with this program.
    #[arg(long, value_name = "FILE")]
    pub runtime: Option<PathBuf>,
    /// Compile the workload anew, and keep nothing.
    #[arg(long)]
    pub no_cache: bool,
    /// The workload.
    #[arg(value_name = "WORKLOAD")]
    pub workload: PathBuf,
    /// Arguments of the workload, after those of the manifest.
    #[arg(last = true)]
    pub args: Vec<String>,
}

/// What to measure.
#[derive(Args, Debug)]
pub struct Measure {
    /// The manifest, whose limits decide how much memory there is; without it, the usual limits.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The runtime image; without it, ENARX_RUNTIME, then the one installed with this program.
    #[arg(long, value_name = "FILE")]
    pub runtime: Option<PathBuf>,
    /// Print them as JSON.
    #[arg(long)]
    pub json: bool,
}

/// A kind of keep that this version can launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepKind {
    /// The best that works here and protects workloads: so far, a process.
    Auto,
    /// A virtual machine without memory encryption.
    Kvm,
    /// A confined process: protects the host from the workload, not the workload from the host.
    Process,
}

/// Write, check or show an Enarx.toml.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Write a commented Enarx.toml to start from.
    Init {
        /// Where to write it; must not exist.
        #[arg(default_value = api::manifest::FILE_NAME)]
        file: PathBuf,
    },
    /// Check an Enarx.toml.
    Check {
        /// What to check.
        #[arg(default_value = api::manifest::FILE_NAME)]
        file: PathBuf,
    },
    /// Print an Enarx.toml with every value in force.
    Show {
        /// What to show.
        #[arg(default_value = api::manifest::FILE_NAME)]
        file: PathBuf,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What to judge, and by what.
#[derive(Args, Debug)]
pub struct Verify {
    /// Evidence, and endorsements that go with it; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// A file in TOML or JSON, or one of the profiles `strict`, `standard` and `lab`.
    #[arg(long, value_name = "POLICY", default_value = "standard")]
    pub policy: String,
    /// A directory of endorsements; without it, what `enarx platform endorsements` keeps.
    #[arg(long, value_name = "DIR")]
    pub endorsements: Option<PathBuf>,
    /// The time of judgement, such as 2026-11-21T00:00:00Z or seconds since 1970; without it, now.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub at: Option<Time>,
    /// The nonce that the evidence must answer, in hexadecimal.
    #[arg(long, value_name = "HEX", value_parser = hex)]
    pub nonce: Option<Bytes>,
    /// The key that the evidence must be bound to: a public key or a certificate, in PEM or DER.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Print the verdicts as JSON.
    #[arg(long)]
    pub json: bool,
    /// Print every check, with what to do about those that failed.
    #[arg(long)]
    pub explain: bool,
}

/// Bytes that were given in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

/// Tell what this host offers, and keep what vendors say about it.
#[derive(Debug, Subcommand)]
pub enum Platform {
    /// Print what this host offers for each kind of keep, and what was not verified.
    Info {
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Fetch, show, export or import what vendors say about platforms.
    Endorsements {
        /// Where they are kept; without it, below XDG_CACHE_HOME.
        #[arg(long, value_name = "DIR", global = true)]
        dir: Option<PathBuf>,
        /// What to do.
        #[command(subcommand)]
        verb: Endorsements,
    },
}

/// Fetch, show, export or import what vendors say about platforms.
#[derive(Debug, Subcommand)]
pub enum Endorsements {
    /// Ask vendors for what is missing or outdated.
    Fetch(Fetch),
    /// List what is kept.
    Show {
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Copy everything into a directory, for a host without network.
    Export {
        /// The directory; must be empty or missing.
        to: PathBuf,
    },
    /// Take over what another host exported.
    Import {
        /// The directory.
        from: PathBuf,
    },
}

/// What to ask for.
#[derive(Args, Debug)]
pub struct Fetch {
    /// Evidence, which tells the chip, the product line or the platform.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Chains and revocation lists of AMD's product line milan, genoa or turin. May be repeated.
    #[arg(long, value_name = "LINE", value_parser = line)]
    pub line: Vec<Line>,
    /// TCB info of Intel's platforms of this family, in hexadecimal. May be repeated.
    #[arg(long, value_name = "HEX", value_parser = fmspc)]
    pub fmspc: Vec<[u8; 6]>,
    /// AMD's service, or a mirror.
    #[arg(long, value_name = "URL", default_value = endorsement::kds::AMD)]
    pub kds: String,
    /// Intel's service, or a PCCS.
    #[arg(long, value_name = "URL", default_value = endorsement::pcs::INTEL)]
    pub pcs: String,
    /// Intel's newest TCB levels, before platforms must have them.
    #[arg(long)]
    pub early: bool,
    /// Certificate authorities of the services, in place of the web's: a PCCS has a certificate of its own.
    #[arg(long, value_name = "PEM")]
    pub ca: Option<PathBuf>,
}

fn time(text: &str) -> Result<Time, String> {
    let seconds = || text.parse().ok().map(Time);
    Time::from_rfc3339(text)
        .or_else(seconds)
        .ok_or_else(|| "expected YYYY-MM-DDTHH:MM:SSZ or seconds since 1970".to_owned())
}

fn hex(text: &str) -> Result<Bytes, String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
    match bytes {
        Some(bytes) if (1..=64).contains(&bytes.len()) => Ok(Bytes(bytes)),
        _ => Err("expected 1 to 64 bytes in hexadecimal".to_owned()),
    }
}

fn fmspc(text: &str) -> Result<[u8; 6], String> {
    let Bytes(bytes) = hex(text)?;
    bytes.try_into().map_err(|_| "expected 6 bytes in hexadecimal".to_owned())
}

fn line(text: &str) -> Result<Line, String> {
    let known = Line::ALL.into_iter().find(|line| line.name().eq_ignore_ascii_case(text));
    known.ok_or_else(|| "expected milan, genoa or turin".to_owned())
}

fn keep_kind(text: &str) -> Result<KeepKind, String> {
    match text {
        "auto" => Ok(KeepKind::Auto),
        "process" => Ok(KeepKind::Process),
        "kvm" => Ok(KeepKind::Kvm),
        "snp" | "sgx" | "tdx" => Err(format!(
            "keeps of kind {text} are not available in this version; `auto`, `kvm` and `process` are (see `enarx platform info`)"
        )),
        _ => Err("expected `auto`, `kvm` or `process`".to_owned()),
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
