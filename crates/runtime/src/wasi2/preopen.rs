//! The directories a component finds opened. They are descriptors this process was started with: their paths on the
//! host are unknown here, and `wasi:filesystem` resolves every path beneath them.

use crate::wasi2::store::State;
use api::launch::Directory;
use std::os::fd::OwnedFd;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, Dir};
use wasmtime_wasi::{FsPerms, OpenMode};

/// A preopened directory and the path under which a component finds it.
pub type Preopen = (Dir, String);

/// Opens them for components.
pub fn preopens(dirs: Vec<(OwnedFd, Directory)>) -> Vec<Preopen> {
    dirs.into_iter()
        .map(|(fd, Directory { guest, read_only })| {
            let (perms, mode) = match read_only {
                true => (FsPerms::ReadOnly, OpenMode::READ),
                false => (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE),
            };
            // Files are read and written on this thread: a thread of their own would only make them wait.
            (Dir::new(fd.into(), perms, mode, true), guest)
        })
        .collect()
}

/// Defines `wasi:filesystem/preopens` of this version; Wasmtime's own can only open paths.
pub fn link(linker: &mut Linker<State>, version: &str) -> wasmtime::Result<()> {
    linker
        .instance(&format!("wasi:filesystem/preopens@{version}"))?
        .func_wrap("get-directories", |store: StoreContextMut<'_, State>, (): ()| Ok((directories(store)?,)))
}

fn directories(
    mut store: StoreContextMut<'_, State>,
) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
    let State { environment, table, .. } = store.data_mut();
    let open = |(dir, guest): &Preopen| Ok((table.push(Descriptor::Dir(dir.clone()))?, guest.clone()));
    environment.preopens.iter().map(open).collect()
}
