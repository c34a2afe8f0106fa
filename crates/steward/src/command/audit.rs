//! `steward audit`: the log, verified and shown.

use std::path::PathBuf;

use serde_json::json;
use service::audit::{Breach, Expected, Line, Verified, verify};

use super::Environment;
use crate::cli::records::{Audit, Where};
use crate::failure::Failure;
use crate::output;

/// Runs a command.
pub fn run(command: Audit, environment: &Environment) -> Result<(), Failure> {
    match command {
        Audit::Verify { log, head, after, json } => {
            let found = verify(&directory(log, environment)?, &Expected { after, heads: head }, |_| {});
            let Verified { files, lines, head } = found.map_err(damaged)?;
            output::data(&match json {
                true => format!("{}\n", json!({"files": files, "lines": lines, "head": head.to_string()})),
                false => format!("whole: {lines} lines in {files} files\nhead: {head}\n"),
            });
        }
        Audit::Head { log } => {
            let found = verify(&directory(log, environment)?, &Expected::default(), |_| {});
            output::data(&format!("{}\n", found.map_err(damaged)?.head));
        }
        Audit::Show { log, kind, from } => {
            let wanted = |line: &Line| {
                kind.as_ref().is_none_or(|kind| *kind == line.kind)
                    && from.is_none_or(|from| from <= line.seq)
            };
            let show = |line: &Line| {
                let Line { seq, time, kind, entry, .. } = line;
                if wanted(line) {
                    let head = json!({"seq": seq, "time": time, "kind": kind}).to_string();
                    output::data(&format!("{},\"entry\":{entry}}}\n", head.trim_end_matches('}')));
                }
            };
            verify(&directory(log, environment)?, &Expected::default(), show).map_err(damaged)?;
        }
    }
    Ok(())
}

fn directory(log: Where, environment: &Environment) -> Result<PathBuf, Failure> {
    if let Some(directory) = log.directory {
        return Ok(directory);
    }
    let settings = super::settings(log.configured, environment)?;
    let audit = settings.audit.ok_or_else(|| {
        Failure::refused("the settings name no audit log")
            .hint("set `audit.directory`, or name a directory".to_owned())
    })?;
    Ok(audit.directory)
}

fn damaged(breach: Breach) -> Failure {
    match breach {
        Breach::Read { .. } | Breach::Nothing(_) | Breach::Torn { .. } => {
            Failure::refused(breach.to_string())
        }
        _ => Failure::refused(format!("the log is not whole: {breach}"))
            .hint("keep the files as they are, and compare with copies and recorded heads".to_owned()),
    }
}
