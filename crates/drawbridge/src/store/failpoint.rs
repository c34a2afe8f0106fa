//! Named places at which tests end the process, or make the disk fail. A server has none of them set.

use std::io;
use std::sync::Arc;

/// What happens when a named place is reached.
#[derive(Clone, Default)]
pub struct Failpoints(Option<Arc<Reached>>);

type Reached = dyn Fn(&'static str) -> io::Result<()> + Send + Sync;

/// Every place, in the order in which storing a blob, and collecting garbage, come by.
pub const PLACES: [&str; 14] = [
    "stage.create",
    "stage.created",
    "stage.write",
    "stage.written",
    "stage.sync",
    "stage.synced",
    "publish.rename",
    "publish.renamed",
    "publish.synced",
    "index.begin",
    "index.committed",
    "collect.listed",
    "collect.forgotten",
    "collect.removed",
];

impl Failpoints {
    /// Calls this at every place.
    pub fn new(reached: impl Fn(&'static str) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(reached)))
    }

    /// A place is reached.
    pub(super) fn reach(&self, place: &'static str) -> io::Result<()> {
        match &self.0 {
            Some(reached) => reached(place),
            None => Ok(()),
        }
    }
}
