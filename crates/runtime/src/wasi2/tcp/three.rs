//! The `tcp-socket` of `wasi:sockets/types@0.3`: asynchronous functions, streams of the component model.

use super::{Acceptor, Family, Shared, Tcp, lock, send_rest};
use crate::wasi2::link::WASI_0_3;
use crate::wasi2::network::Network;
use crate::wasi2::store::State;
use bytes::BytesMut;
use std::future::poll_fn;
use std::io;
use std::iter;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::oneshot;
use wasmtime::component::{
    Accessor, ComponentNamedList, Destination, FutureReader, Lift, Linker, LinkerInstance, Lower, Resource,
    ResourceType, Source, StreamConsumer, StreamProducer, StreamReader, StreamResult,
};
use wasmtime::{AsContextMut, Result, StoreContextMut};
use wasmtime_wasi::p3::bindings::sockets::types::{ErrorCode, IpAddressFamily, IpSocketAddress};
use wasmtime_wasi::sockets::ErrorCode as Failure;

/// Bytes asked for at a time when the component does not say.
const READ_LIMIT: usize = 64 << 10;

type Outcome<T> = std::result::Result<T, ErrorCode>;
/// How a stream ended, told when it has.
type Ended = FutureReader<Outcome<()>>;

/// Defines `tcp-socket`.
pub fn link(linker: &mut Linker<State>) -> Result<()> {
    let types = &mut linker.instance(&format!("wasi:sockets/types@{WASI_0_3}"))?;
    types.resource("tcp-socket", ResourceType::host::<Tcp>(), |mut store, socket| {
        store.data_mut().table.delete(Resource::<Tcp>::new_own(socket))?;
        Ok(())
    })?;
    types.func_wrap("[static]tcp-socket.create", |mut store: StoreContextMut<'_, State>, (family,)| {
        Ok((create(store.data_mut(), family)?,))
    })?;
    types.func_wrap_concurrent("[method]tcp-socket.connect", |store, (socket, addr)| {
        Box::pin(async move { Ok((connect(store, socket, addr).await?,)) })
    })?;
    types.func_wrap("[method]tcp-socket.listen", |store, (socket,)| Ok((listen(store, socket)?,)))?;
    types.func_wrap("[method]tcp-socket.send", |store, (socket, data)| Ok((send(store, socket, data)?,)))?;
    types.func_wrap("[method]tcp-socket.receive", |store, (socket,)| Ok((receive(store, socket)?,)))?;
    types.func_wrap(
        "[method]tcp-socket.get-address-family",
        |store: StoreContextMut<'_, State>, (socket,): (Resource<Tcp>,)| {
            Ok((match store.data().table.get(&socket)?.family {
                Family::Ipv4 => IpAddressFamily::Ipv4,
                Family::Ipv6 => IpAddressFamily::Ipv6,
            },))
        },
    )?;
    types.func_wrap(
        "[method]tcp-socket.get-is-listening",
        |store: StoreContextMut<'_, State>, (socket,): (Resource<Tcp>,)| {
            Ok((store.data().table.get(&socket)?.is_listening(),))
        },
    )?;
    link_options(types)
}

fn link_options(types: &mut LinkerInstance<'_, State>) -> Result<()> {
    set(types, "bind", |tcp, addr: IpSocketAddress| tcp.bind(addr.into()))?;
    ask(types, "get-local-address", |tcp| tcp.local_address().map(IpSocketAddress::from))?;
    ask(types, "get-remote-address", |tcp| tcp.remote_address().map(IpSocketAddress::from))?;
    set(types, "set-listen-backlog-size", Tcp::set_backlog)?;
    ask(types, "get-keep-alive-enabled", Tcp::keep_alive)?;
    set(types, "set-keep-alive-enabled", |tcp, on| tcp.set_keep_alive(on))?;
    ask(types, "get-keep-alive-idle-time", Tcp::keep_alive_idle)?;
    set(types, "set-keep-alive-idle-time", |tcp, time| tcp.set_keep_alive_idle(time))?;
    ask(types, "get-keep-alive-interval", Tcp::keep_alive_interval)?;
    set(types, "set-keep-alive-interval", |tcp, time| tcp.set_keep_alive_interval(time))?;
    ask(types, "get-keep-alive-count", Tcp::keep_alive_count)?;
    set(types, "set-keep-alive-count", |tcp, count| tcp.set_keep_alive_count(count))?;
    ask(types, "get-hop-limit", Tcp::hop_limit)?;
    set(types, "set-hop-limit", |tcp, hops| tcp.set_hop_limit(hops))?;
    ask(types, "get-receive-buffer-size", Tcp::receive_buffer)?;
    set(types, "set-receive-buffer-size", |tcp, size| tcp.set_receive_buffer(size))?;
    ask(types, "get-send-buffer-size", Tcp::send_buffer)?;
    set(types, "set-send-buffer-size", |tcp, size| tcp.set_send_buffer(size))
}

fn ask<R: Lower + Send + Sync + 'static>(
    types: &mut LinkerInstance<'_, State>,
    name: &str,
    f: impl Fn(&Tcp) -> std::result::Result<R, Failure> + Send + Sync + 'static,
) -> Result<()> {
    types.func_wrap(
        &format!("[method]tcp-socket.{name}"),
        move |store: StoreContextMut<'_, State>, (socket,): (Resource<Tcp>,)| {
            Ok((f(store.data().table.get(&socket)?).map_err(ErrorCode::from),))
        },
    )
}

fn set<V: Lift + Send + Sync + 'static>(
    types: &mut LinkerInstance<'_, State>,
    name: &str,
    f: impl Fn(&mut Tcp, V) -> std::result::Result<(), Failure> + Send + Sync + 'static,
) -> Result<()>
where
    (Resource<Tcp>, V): ComponentNamedList + Lift,
{
    types.func_wrap(
        &format!("[method]tcp-socket.{name}"),
        move |mut store: StoreContextMut<'_, State>, (socket, value): (Resource<Tcp>, V)| {
            Ok((f(store.data_mut().table.get_mut(&socket)?, value).map_err(ErrorCode::from),))
        },
    )
}

fn create(state: &mut State, family: IpAddressFamily) -> Result<Outcome<Resource<Tcp>>> {
    let family = match family {
        IpAddressFamily::Ipv4 => Family::Ipv4,
        IpAddressFamily::Ipv6 => Family::Ipv6,
    };
    match Tcp::new(state.environment.network.clone(), family) {
        Ok(tcp) => Ok(Ok(state.table.push(tcp)?)),
        Err(error) => Ok(Err(error.into())),
    }
}

async fn connect(
    store: &Accessor<State>,
    socket: Resource<Tcp>,
    addr: IpSocketAddress,
) -> Result<Outcome<()>> {
    let started = store.with(|mut store| {
        let tcp = store.data_mut().table.get_mut(&socket)?;
        wasmtime::error::Ok(tcp.start_connect(addr.into()))
    })?;
    if let Err(error) = started {
        return Ok(Err(error.into()));
    }
    poll_fn(|cx| {
        store.with(|mut store| match store.data_mut().table.get_mut(&socket) {
            Ok(tcp) => tcp.poll_connected(cx).map(|connected| Ok(connected.map_err(ErrorCode::from))),
            Err(error) => Poll::Ready(Err(error.into())),
        })
    })
    .await
}

fn listen(
    mut store: StoreContextMut<'_, State>,
    socket: Resource<Tcp>,
) -> Result<Outcome<StreamReader<Resource<Tcp>>>> {
    let acceptor = match store.data_mut().table.get_mut(&socket)?.listen() {
        Ok(acceptor) => acceptor.share(),
        Err(error) => return Ok(Err(error.into())),
    };
    Ok(Ok(StreamReader::new(&mut store, Accepting(acceptor))?))
}

fn send(
    mut store: StoreContextMut<'_, State>,
    socket: Resource<Tcp>,
    mut data: StreamReader<u8>,
) -> Result<Ended> {
    let tcp = store.data_mut().table.get_mut(&socket)?;
    match tcp.sender() {
        Ok(stream) => {
            let (told, ended) = oneshot::channel();
            let sending = Sending { stream, network: tcp.network.clone(), told: Some(told) };
            data.pipe(&mut store, sending)?;
            FutureReader::new(&mut store, ended)
        }
        Err(error) => {
            data.close(&mut store)?;
            at_once(store, error)
        }
    }
}

fn receive(
    mut store: StoreContextMut<'_, State>,
    socket: Resource<Tcp>,
) -> Result<(StreamReader<u8>, Ended)> {
    match store.data_mut().table.get_mut(&socket)?.receiver() {
        Ok(stream) => {
            let (told, ended) = oneshot::channel();
            let receiving = StreamReader::new(&mut store, Receiving { stream, told: Some(told) })?;
            Ok((receiving, FutureReader::new(&mut store, ended)?))
        }
        Err(error) => Ok((StreamReader::new(&mut store, iter::empty())?, at_once(store, error)?)),
    }
}

fn at_once(mut store: StoreContextMut<'_, State>, error: Failure) -> Result<Ended> {
    FutureReader::new(&mut store, async move { wasmtime::error::Ok(Err(error.into())) })
}

/// Connections as they come.
struct Accepting(Acceptor);

impl StreamProducer<State> for Accepting {
    type Item = Resource<Tcp>;
    type Buffer = Option<Self::Item>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, State>,
        mut to: Destination<'a, Self::Item, Self::Buffer>,
        finish: bool,
    ) -> Poll<Result<StreamResult>> {
        if to.remaining(&mut store) == Some(0) {
            return or_cancelled(self.0.poll_ready(cx).map(|()| Ok(StreamResult::Completed)), finish);
        }
        let accepted = self.0.poll_accept(cx).map(|tcp| {
            to.set_buffer(Some(store.data_mut().table.push(tcp)?));
            Ok(StreamResult::Completed)
        });
        or_cancelled(accepted, finish)
    }
}

/// Bytes as they arrive.
struct Receiving {
    stream: Shared,
    told: Option<oneshot::Sender<Outcome<()>>>,
}

impl StreamProducer<State> for Receiving {
    type Item = u8;
    type Buffer = BytesMut;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, State>,
        to: Destination<'a, Self::Item, Self::Buffer>,
        finish: bool,
    ) -> Poll<Result<StreamResult>> {
        if self.told.is_none() {
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        if to.remaining(store.as_context_mut()) == Some(0) {
            let readable = lock(&self.stream).poll_readable(cx);
            return or_cancelled(readable.map(|()| Ok(StreamResult::Completed)), finish);
        }
        let mut to = to.as_direct(store, READ_LIMIT);
        let read = lock(&self.stream).poll_read_bytes(cx, to.remaining().len());
        let produced = read.map(|read| match read {
            Ok(bytes) if bytes.is_empty() => Ok(tell(&mut self.told, Ok(()))),
            Ok(bytes) => {
                to.remaining()[..bytes.len()].copy_from_slice(&bytes);
                to.mark_written(bytes.len());
                Ok(StreamResult::Completed)
            }
            Err(error) => Ok(tell(&mut self.told, Err(error))),
        });
        or_cancelled(produced, finish)
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        lock(&self.stream).shutdown(Shutdown::Read);
        tell(&mut self.told, Ok(()));
    }
}

/// Bytes to be sent.
struct Sending {
    stream: Shared,
    network: Arc<Network>,
    told: Option<oneshot::Sender<Outcome<()>>>,
}

impl StreamConsumer<State> for Sending {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, State>,
        from: Source<'_, Self::Item>,
        finish: bool,
    ) -> Poll<Result<StreamResult>> {
        if self.told.is_none() {
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        let mut from = from.as_direct(store);
        let written = match from.remaining() {
            [] => lock(&self.stream).poll_writable(cx).map_ok(|()| 0),
            bytes => lock(&self.stream).poll_write_bytes(cx, bytes),
        };
        let consumed = written.map(|written| match written {
            Ok(len) => {
                from.mark_read(len);
                Ok(StreamResult::Completed)
            }
            Err(error) => Ok(tell(&mut self.told, Err(error))),
        });
        if consumed.is_ready() && !lock(&self.stream).is_sent() {
            send_rest(&self.network, &self.stream);
        }
        or_cancelled(consumed, finish)
    }
}

impl Drop for Sending {
    /// The end of writing: what was written leaves first, then the peer is told.
    fn drop(&mut self) {
        lock(&self.stream).shutdown(Shutdown::Write);
        send_rest(&self.network, &self.stream);
        tell(&mut self.told, Ok(()));
    }
}

/// Tells the component how its stream ended, and the stream that it has.
fn tell(told: &mut Option<oneshot::Sender<Outcome<()>>>, how: io::Result<()>) -> StreamResult {
    if let Some(told) = told.take() {
        let _ = told.send(how.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => ErrorCode::ConnectionBroken,
            _ => error.into(),
        }));
    }
    StreamResult::Dropped
}

/// A component that no longer wants to wait is not made to.
fn or_cancelled(poll: Poll<Result<StreamResult>>, finish: bool) -> Poll<Result<StreamResult>> {
    match poll {
        Poll::Pending if finish => Poll::Ready(Ok(StreamResult::Cancelled)),
        poll => poll,
    }
}
