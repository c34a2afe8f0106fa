//! `wasi:sockets/ip-name-lookup`: names that the manifest declares, and their addresses.

use crate::wasi2::link::{WASI_0_2, WASI_0_3};
use crate::wasi2::network::ResolveError;
use crate::wasi2::store::State;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::vec;
use tokio::task::JoinHandle;
use wasmtime::component::{Accessor, Linker, Resource, ResourceType};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress};
use wasmtime_wasi::p2::{Network as Handle, Pollable, subscribe};
use wasmtime_wasi::p3::bindings::sockets::{ip_name_lookup as three, types};

/// Defines the interface of 0.2: a resource that is waited for, then asked for one address after another.
pub fn link_0_2(linker: &mut Linker<State>) -> Result<()> {
    let lookup = &mut linker.instance(&format!("wasi:sockets/ip-name-lookup@{WASI_0_2}"))?;
    lookup.resource("resolve-address-stream", ResourceType::host::<Lookup>(), |mut store, lookup| {
        store.data_mut().table.delete(Resource::<Lookup>::new_own(lookup))?;
        Ok(())
    })?;
    lookup.func_wrap("resolve-addresses", |mut store, params| Ok((start(store.data_mut(), params)?,)))?;
    lookup.func_wrap(
        "[method]resolve-address-stream.resolve-next-address",
        |mut store: StoreContextMut<'_, State>, (lookup,): (Resource<Lookup>,)| {
            Ok((store.data_mut().table.get_mut(&lookup)?.next(),))
        },
    )?;
    lookup.func_wrap(
        "[method]resolve-address-stream.subscribe",
        |mut store: StoreContextMut<'_, State>, (lookup,): (Resource<Lookup>,)| {
            Ok((subscribe(&mut store.data_mut().table, lookup)?,))
        },
    )
}

/// Defines the interface of 0.3: one asynchronous function.
pub fn link_0_3(linker: &mut Linker<State>) -> Result<()> {
    linker.instance(&format!("wasi:sockets/ip-name-lookup@{WASI_0_3}"))?.func_wrap_concurrent(
        "resolve-addresses",
        |store: &Accessor<State>, (name,): (String,)| {
            Box::pin(async move {
                let network = store.with(|mut store| store.data_mut().environment.network.clone());
                let addresses = network.resolve(&name).await.map_err(|error| match error {
                    ResolveError::Denied => three::ErrorCode::AccessDenied,
                    ResolveError::Unknown => three::ErrorCode::NameUnresolvable,
                });
                Ok(
                    (addresses
                        .map(|found| found.into_iter().map(types::IpAddress::from).collect::<Vec<_>>()),),
                )
            })
        },
    )
}

fn start(
    state: &mut State,
    (handle, name): (Resource<Handle>, String),
) -> Result<std::result::Result<Resource<Lookup>, ErrorCode>> {
    state.table.get(&handle)?;
    let network = state.environment.network.clone();
    let looking = tokio::spawn(async move { network.resolve(&name).await });
    Ok(Ok(state.table.push(Lookup::Looking(looking))?))
}

/// A name being looked up.
enum Lookup {
    Looking(JoinHandle<std::result::Result<Vec<IpAddr>, ResolveError>>),
    Found(vec::IntoIter<IpAddr>),
    Failed(ErrorCode),
}

impl Lookup {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Self::Looking(looking) = self {
            *self = match ready!(Pin::new(looking).poll(cx)) {
                Ok(Ok(found)) => Self::Found(found.into_iter()),
                Ok(Err(ResolveError::Denied)) => Self::Failed(ErrorCode::AccessDenied),
                Ok(Err(ResolveError::Unknown)) | Err(_) => Self::Failed(ErrorCode::NameUnresolvable),
            };
        }
        Poll::Ready(())
    }

    fn next(&mut self) -> std::result::Result<Option<IpAddress>, ErrorCode> {
        let _ = self.poll(&mut Context::from_waker(Waker::noop()));
        match self {
            Self::Looking(_) => Err(ErrorCode::WouldBlock),
            Self::Found(found) => Ok(found.next().map(IpAddress::from)),
            Self::Failed(error) => Err(*error),
        }
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        if let Self::Looking(looking) = self {
            looking.abort();
        }
    }
}

#[async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }
}
