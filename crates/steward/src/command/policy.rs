//! `steward policy`: looks at policies before they are in force.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use attest::endorsements::Endorsements;
use attest::explain;
use attest::policy::Policy;
use attest::reason::Rejection;
use attest::time::Time;
use endorsement::file;
use serde_json::{Value, json};

use super::{Environment, inventory};
use crate::cli::records::{Policy as Command, With};
use crate::failure::Failure;
use crate::inventory::record::hex;
use crate::inventory::{Filter, Inventory, Outcome, Record};
use crate::library::Library;
use crate::output;
use crate::policy::judge::{Change, compare, failed, judge, results};
use crate::policy::rules::{self, Difference};
use crate::policy::{self, Sourced};
use crate::settings::EndorsementSettings;

/// The most files of one directory.
const FILES: usize = 10_000;

/// What stands in for a certificate: a file, or a record of the inventory.
struct Case {
    name: String,
    body: Vec<u8>,
    at: Time,
}

/// Runs a command.
pub fn run(command: Command, environment: &Environment) -> Result<(), Failure> {
    match command {
        Command::Check { policies } => policies.iter().try_for_each(|name| {
            let digest = hex(&read(name)?.policy.digest());
            output::data(&format!("{digest}  {name}\n"));
            Ok(())
        }),
        Command::Explain { policy, beside } => {
            output::data(&explained(&read(&policy)?.policy, &read(&beside)?.policy, &beside));
            Ok(())
        }
        Command::Test { policy, evidence, with, explain, json } => {
            let policy = read(&policy)?.policy;
            let endorsements = endorsements(&with, environment)?;
            test(&policy, &cases(&evidence, &with, environment)?, &endorsements, explain, json)
        }
        Command::Diff { old, new, evidence, inventory, with, json } => {
            let policies = (read(&old)?.policy, read(&new)?.policy);
            let endorsements = endorsements(&with, environment)?;
            let mut cases = cases(&evidence, &with, environment)?;
            let mut lost = 0;
            if inventory {
                super::block_on(live(&with, environment, &mut cases, &mut lost))?;
            }
            diff(&policies, &cases, lost, &endorsements, json)
        }
    }
}

/// Every rule, the ones that differ from the other policy marked.
fn explained(policy: &Policy, other: &Policy, beside: &str) -> String {
    let differences = rules::differences(other, policy);
    let mut text = format!("# digest {}\n# * differs from {beside}\n", hex(&policy.digest()));
    for (name, value) in rules::list(policy) {
        let other = differences.iter().find(|difference| difference.name == name);
        let (mark, other) = match other {
            Some(Difference { old: Some(old), .. }) => ("*", format!("  # {beside}: {old}")),
            Some(_) => ("*", format!("  # {beside}: nothing")),
            None => (" ", String::new()),
        };
        text.push_str(&format!("{mark} {name} = {value}{other}\n"));
    }
    for Difference { name, old, .. } in differences.iter().filter(|difference| difference.new.is_none()) {
        text.push_str(&format!("* {name} is not set  # {beside}: {}\n", old.as_deref().unwrap_or_default()));
    }
    text
}

fn test(
    policy: &Policy,
    cases: &[Case],
    endorsements: &Endorsements,
    explain: bool,
    json: bool,
) -> Result<(), Failure> {
    let mut refused = 0;
    let mut report = Vec::new();
    for Case { name, body, at } in cases {
        let verdict = results(body, policy, endorsements, *at);
        refused += usize::from(verdict.is_err());
        let word = if verdict.is_ok() { "accepted" } else { "refused" };
        let checks = verdict.as_ref().err().map(failed).unwrap_or_default();
        let trust =
            verdict.as_ref().ok().and_then(|results| results.iter().map(|result| result.trust()).min());
        report.push(json!({
            "file": name, "verdict": word, "trust": trust.map(|trust| trust.as_str()), "checks": checks, "at": at,
        }));
        if json {
            continue;
        }
        let detail = trust.map_or_else(|| checks.join(", "), |trust| trust.as_str().to_owned());
        output::data(&format!("{word}  {name}: {detail}\n"));
        if explain {
            match &verdict {
                Ok(results) => results.iter().for_each(|result| output::data(&explain::result(result))),
                Err(rejection) => output::data(&explain::rejection(rejection)),
            }
        }
    }
    if json {
        output::data(&format!("{:#}\n", Value::from(report)));
    }
    match refused {
        0 => Ok(()),
        _ => Err(Failure::refused(format!("{refused} of {} are refused", cases.len()))),
    }
}

fn diff(
    (old, new): &(Policy, Policy),
    cases: &[Case],
    lost: usize,
    endorsements: &Endorsements,
    json: bool,
) -> Result<(), Failure> {
    let differences = rules::differences(old, new);
    let changes: Vec<(&str, Change)> = cases
        .iter()
        .map(|Case { name, body, at }| {
            let verdict = |policy| judge(body, policy, endorsements, *at);
            (name.as_str(), compare(verdict(old), verdict(new)))
        })
        .collect();
    let refused = changes.iter().filter(|(_, change)| matches!(change, Change::Refused(_))).count();
    match json {
        true => {
            let rules: Vec<Value> = differences
                .iter()
                .map(|Difference { name, old, new }| json!({"rule": name, "old": old, "new": new}))
                .collect();
            let changes: Vec<Value> =
                changes.iter().filter_map(|(name, change)| told(name, change)).collect();
            let report = json!({"rules": rules, "judged": cases.len(), "not_kept": lost, "changes": changes});
            output::data(&format!("{report:#}\n"));
        }
        false => {
            for Difference { name, old, new } in &differences {
                let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
                output::data(&format!("rule {name}: {} -> {}\n", word(old), word(new)));
            }
            for (name, change) in &changes {
                match change {
                    Change::None => {}
                    Change::Refused(rejection) => {
                        output::data(&format!("would refuse {name}: {}\n", failed(rejection).join(", ")));
                    }
                    Change::Accepted(trust) => {
                        output::data(&format!("would accept {name}: {}\n", trust.as_str()))
                    }
                    Change::Trust { old, new } => {
                        output::data(&format!("other trust  {name}: {} -> {}\n", old.as_str(), new.as_str()));
                    }
                }
            }
            output::data(&format!("{} judged, {refused} would be refused", cases.len()));
            let missing = if lost > 0 {
                format!(", {lost} certificates whose evidence is not kept")
            } else {
                String::new()
            };
            output::data(&format!("{missing}\n"));
        }
    }
    match refused {
        0 => Ok(()),
        _ => Err(Failure::refused(format!("{refused} would be refused"))
            .hint("set the new policy as `next_policy` to be warned without refusing anybody".to_owned())),
    }
}

fn told(name: &str, change: &Change) -> Option<Value> {
    Some(match change {
        Change::None => return None,
        Change::Refused(rejection) => json!({"name": name, "change": "refused", "checks": checks(rejection)}),
        Change::Accepted(trust) => json!({"name": name, "change": "accepted", "trust": trust.as_str()}),
        Change::Trust { old, new } => {
            json!({"name": name, "change": "trust", "old": old.as_str(), "new": new.as_str()})
        }
    })
}

fn checks(rejection: &Rejection) -> Vec<String> {
    rejection.checks().failures().map(ToString::to_string).collect()
}

/// The certificates that are valid now, with the evidence that they were issued upon.
async fn live(
    with: &With,
    environment: &Environment,
    cases: &mut Vec<Case>,
    lost: &mut usize,
) -> Result<(), Failure> {
    let failed = |error| Failure::of(&error);
    let inventory: Inventory = inventory::open(with.database.clone(), environment).await?;
    let now = (environment.clock)();
    let mut filter = Filter { valid_at: Some(now.to_string()), limit: Some(1000), ..Filter::default() };
    loop {
        let page = inventory.query(&filter).await.map_err(failed)?;
        for record in page.records.iter().filter(|record| record.outcome != Outcome::Refused) {
            let digest = record.evidence.as_deref().unwrap_or_default();
            match inventory.evidence(digest).await.map_err(failed)? {
                Some(body) => {
                    cases.push(Case { name: name(record), body, at: with.at.unwrap_or(record.time) })
                }
                None => *lost += 1,
            }
        }
        match page.next {
            Some(next) => filter.before = Some(next),
            None => return Ok(()),
        }
    }
}

fn name(record: &Record) -> String {
    let serial = record.serial.as_deref().unwrap_or("-");
    let workload = record.slug.as_deref().or(record.workload.as_deref()).unwrap_or("no workload");
    format!("certificate {serial} of {workload}")
}

fn cases(paths: &[PathBuf], with: &With, environment: &Environment) -> Result<Vec<Case>, Failure> {
    let at = with.at.unwrap_or_else(|| (environment.clock)());
    let mut cases = Vec::new();
    for path in paths {
        for path in files(path)? {
            let body = file::read_bounded(&path).map_err(|error| Failure::of(&error))?;
            cases.push(Case { name: path.display().to_string(), body, at });
        }
    }
    Ok(cases)
}

/// A file, or the files of a directory in the order of their names.
fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::refused(format!("cannot read `{}`: {error}", path.display()));
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && entry.file_type().map_err(failed)?.is_file() {
            files.push(entry.path());
        }
        if files.len() > FILES {
            return Err(Failure::refused(format!("`{}` has more than {FILES} files", path.display())));
        }
    }
    files.sort();
    Ok(files)
}

/// What the settings name, if there are settings, and what the directory has.
fn endorsements(with: &With, environment: &Environment) -> Result<Arc<Endorsements>, Failure> {
    let settings = match &with.database.configured.config {
        Some(_) => super::settings(with.database.configured.clone(), environment)?.endorsements,
        None => EndorsementSettings::default(),
    };
    // Judging what is stored asks nobody.
    let library = Library::open(&EndorsementSettings { fetch: false, ..settings })?;
    let Some(path) = &with.endorsements else { return Ok(library.current()) };
    let mut endorsements = (*library.current()).clone();
    for item in file::read(path).map_err(|error| Failure::of(&error))? {
        item.add_to(&mut endorsements).map_err(|error| Failure::refused(error.to_string()))?;
    }
    Ok(Arc::new(endorsements))
}

fn read(name: &str) -> Result<Sourced, Failure> {
    policy::read(name).map_err(|error| Failure::of(&error))
}
