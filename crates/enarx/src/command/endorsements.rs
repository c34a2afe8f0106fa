//! `enarx platform endorsements`: what vendors say about platforms, kept for verifiers.

use crate::cli::{Endorsements, Fetch};
use crate::failure::Failure;
use crate::output::Output;
use crate::settings::Environment;
use attest::carrier::Submission;
use attest::dcap::pck::Pck;
use attest::evidence::Evidence;
use attest::pem;
use attest::snp;
use attest::snp::tcb::{Line, Tcb};
use attest::time::Time;
use attest::x509::certificate::Certificate;
use endorsement::cache::{CacheError, Entry, State, Store};
use endorsement::fetch::{Client, Patience};
use endorsement::pcs::{Environment as Intel, Update};
use endorsement::{Wanted, file, kds, pcs};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    /// Changes when a reader must.
    schema: u32,
    endorsements: Vec<Entry>,
}

/// Does what was asked.
pub fn run(
    directory: Option<PathBuf>,
    verb: Endorsements,
    environment: &Environment,
    output: &Output,
) -> Result<(), Failure> {
    let Some(directory) = directory.or_else(|| environment.endorsements.clone()) else {
        return Err(Failure::refused("there is no home directory to keep endorsements in")
            .hint("name a directory with --dir"));
    };
    let store = Store::open(&directory).map_err(|error| failed(&error))?;
    let now = Time(environment.now);
    match verb {
        Endorsements::Fetch(args) => fetch(&store, &args, now, output),
        Endorsements::Show { json } => show(&store, json, now, output),
        Endorsements::Export { to } => {
            let count = store.export(&to).map_err(|error| failed(&error))?;
            output.note(&format!("exported {count} endorsements to `{}`", to.display()));
            Ok(())
        }
        Endorsements::Import { from } => {
            let count = store.import(&from).map_err(|error| failed(&error))?;
            output.note(&format!("imported {count} endorsements that were new"));
            Ok(())
        }
    }
}

fn fetch(store: &Store, args: &Fetch, now: Time, output: &Output) -> Result<(), Failure> {
    let wanted = wanted(args)?;
    if wanted.is_empty() {
        return Err(Failure::refused("nothing to fetch").hint("name evidence, --line or --fmspc"));
    }
    let client = match &args.ca {
        None => Client::new(Patience::default()),
        Some(path) => Client::trusting_only(Patience::default(), &authorities(path)?),
    };
    let mut missing = None;
    for wanted in wanted {
        match store.obtain(&wanted, &client, now) {
            Ok(obtained) => match obtained.state {
                State::Fresh => output.data(&format!("fresh    {}\n", wanted.name)),
                State::Fetched => output.data(&format!("fetched  {}\n", wanted.name)),
                State::Stale { age, error } => {
                    let hours = age / 3600;
                    output.data(&format!("stale    {}  fetched {hours} hours ago\n", wanted.name));
                    output.warning(&error.to_string(), None);
                }
            },
            Err(error) => {
                output.data(&format!("missing  {}\n", wanted.name));
                output.warning(&error.to_string(), None);
                missing = Some(error);
            }
        }
    }
    match missing {
        None => Ok(()),
        Some(error) => Err(failed(&error).hint("what was fetched is kept; try again later for the rest")),
    }
}

fn authorities(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let text = file::read_bounded(path);
    let text = text.map_err(|error| Failure::refused(error.to_string()).caused(&error))?;
    match pem::decode(&text) {
        Ok(blocks) if !blocks.is_empty() => Ok(blocks.into_iter().map(|block| block.bytes).collect()),
        _ => Err(Failure::refused(format!("`{}` holds no certificates", path.display()))
            .hint("give certificates as PEM")),
    }
}

fn show(store: &Store, json: bool, now: Time, output: &Output) -> Result<(), Failure> {
    let entries = store.entries().map_err(|error| failed(&error))?;
    if json {
        return output.json(&Report { schema: 1, endorsements: entries });
    }
    for entry in entries {
        let word = if entry.is_fresh(now) { "fresh" } else { "stale" };
        let next = entry.next_update.map(|next| format!(", next update {}", Time(next))).unwrap_or_default();
        output.data(&format!("{word:<8} {}  fetched {}{next}\n", entry.name, Time(entry.fetched)));
    }
    Ok(())
}

/// Everything that the arguments name, once.
fn wanted(args: &Fetch) -> Result<Vec<Wanted>, Failure> {
    let update = if args.early { Update::Early } else { Update::Standard };
    let mut all: Vec<Wanted> = args.line.iter().flat_map(|line| kds::line(&args.kds, *line)).collect();
    for fmspc in &args.fmspc {
        for environment in [Intel::Sgx, Intel::Tdx] {
            all.extend(intel(&args.pcs, environment, fmspc, update));
        }
    }
    for path in &args.files {
        let bytes = file::read_bounded(path);
        let bytes = bytes.map_err(|error| Failure::refused(error.to_string()).caused(&error))?;
        let submission = Submission::open(&bytes);
        let submission = submission.map_err(|error| {
            Failure::refused(format!("`{}` is no evidence", path.display())).because(&error)
        })?;
        for evidence in &submission.evidence {
            match evidence {
                Evidence::Snp(evidence) => all.extend(amd(args, path, evidence)?),
                Evidence::Sgx(evidence) => {
                    let fmspc = platform(path, evidence.quote.certificates())?;
                    all.extend(intel(&args.pcs, Intel::Sgx, &fmspc, update));
                }
                Evidence::Tdx(evidence) => {
                    let fmspc = platform(path, evidence.quote.certificates())?;
                    all.extend(intel(&args.pcs, Intel::Tdx, &fmspc, update));
                }
                // Their chains come along, or are configured; nobody publishes anything to fetch.
                Evidence::Cca(_) | Evidence::Nitro(_) | Evidence::Vtpm(_) | Evidence::Unattested => {}
            }
        }
    }
    let mut names = std::collections::BTreeSet::new();
    all.retain(|wanted| names.insert(wanted.name.clone()));
    Ok(all)
}

/// Reports before version 3 do not name their product line.
fn amd(args: &Fetch, path: &Path, evidence: &snp::Evidence) -> Result<Vec<Wanted>, Failure> {
    let report = &evidence.report;
    let line = report.cpuid.and_then(Line::of_cpuid).or(args.line.first().copied()).ok_or_else(|| {
        Failure::refused(format!("`{}` does not say which product line it is of", path.display()))
            .hint("name it with --line")
    })?;
    let mut all = kds::line(&args.kds, line);
    // A VLEK is given to the cloud provider that it belongs to, and to nobody else.
    if report.signing_key() == 0 {
        all.push(kds::vcek(&args.kds, line, &report.chip_id, &Tcb::decode(report.reported_tcb, line)));
    }
    Ok(all)
}

fn intel(base: &str, environment: Intel, fmspc: &[u8; 6], update: Update) -> Vec<Wanted> {
    let mut all = pcs::lists(base);
    all.push(pcs::qe_identity(base, environment, update));
    all.push(pcs::tcb_info(base, environment, fmspc, update));
    all
}

fn platform(path: &Path, certificates: &[Certificate]) -> Result<[u8; 6], Failure> {
    let pck = certificates.first().and_then(|certificate| Pck::decode(certificate).ok());
    let unnamed = || {
        Failure::refused(format!("the quote in `{}` does not name its platform", path.display()))
            .hint("name it with --fmspc")
    };
    pck.map(|pck| pck.fmspc).ok_or_else(unnamed)
}

fn failed(error: &CacheError) -> Failure {
    match error {
        CacheError::Disk { .. } => Failure::broken(error.to_string()).caused(error),
        _ => Failure::refused(error.to_string()).caused(error),
    }
}
