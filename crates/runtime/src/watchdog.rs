//! Ends the keep at the workload's deadline. One keep runs one workload, so nothing needs to be counted in the
//! workload's own code.

use crate::host::Host;
use crate::sys;
use api::launch::{Ending, Notice};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Ends the process when `deadline` has passed from now.
pub fn start(deadline: Option<Duration>, host: &Arc<Host>) {
    let Some(deadline) = deadline else { return };
    let host = host.clone();
    thread::spawn(move || {
        thread::sleep(deadline);
        let ending = Ending::Limit(format!("its deadline of {deadline:?} has passed"));
        host.notify(&Notice::Ended(ending.clone()));
        sys::exit(ending.code())
    });
}
