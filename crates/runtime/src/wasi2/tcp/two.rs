//! `wasi:sockets/tcp@0.2`: operations in two halves, streams and pollables of `wasi:io`.

use super::{Family, Shared, State as Socket, Step, Tcp, lock, send_rest};
use crate::wasi2::link::WASI_0_2;
use crate::wasi2::network::Network;
use crate::wasi2::store::State;
use crate::wasi2::stream::WRITE_LIMIT;
use bytes::Bytes;
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use wasmtime::component::{ComponentNamedList, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress};
use wasmtime_wasi::p2::bindings::sockets::tcp::ShutdownType;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, InputStream, Network as Handle, OutputStream, Pollable, StreamError,
    StreamResult, subscribe,
};
use wasmtime_wasi::sockets::ErrorCode as Failure;

/// What a function of this interface returns.
type Answer<T> = Result<std::result::Result<T, ErrorCode>>;
type Ends = (Resource<DynInputStream>, Resource<DynOutputStream>);

/// Defines `tcp` and `tcp-create-socket`.
pub fn link(linker: &mut Linker<State>) -> Result<()> {
    let create = &mut linker.instance(&format!("wasi:sockets/tcp-create-socket@{WASI_0_2}"))?;
    define(create, "create-tcp-socket", |state, (family,): (IpAddressFamily,)| create_socket(state, family))?;
    let tcp = &mut linker.instance(&format!("wasi:sockets/tcp@{WASI_0_2}"))?;
    tcp.resource("tcp-socket", ResourceType::host::<Tcp>(), |mut store, socket| {
        store.data_mut().table.delete(Resource::<Tcp>::new_own(socket))?;
        Ok(())
    })?;
    link_operations(tcp)?;
    link_options(tcp)
}

fn link_operations(tcp: &mut LinkerInstance<'_, State>) -> Result<()> {
    type At = (Resource<Tcp>, Resource<Handle>, IpSocketAddress);
    define(tcp, "[method]tcp-socket.start-bind", |state, (socket, network, addr): At| {
        state.table.get(&network)?;
        start(state, &socket, Step::Bind, |tcp| tcp.bind(addr.into()))
    })?;
    define(tcp, "[method]tcp-socket.finish-bind", |state, (socket,)| finish(state, &socket, Step::Bind))?;
    define(tcp, "[method]tcp-socket.start-connect", |state, (socket, network, addr): At| {
        state.table.get(&network)?;
        start(state, &socket, Step::Connect, |tcp| tcp.start_connect(addr.into()))
    })?;
    define(tcp, "[method]tcp-socket.finish-connect", |state, (socket,)| finish_connect(state, &socket))?;
    define(tcp, "[method]tcp-socket.start-listen", |state, (socket,)| {
        start(state, &socket, Step::Listen, |tcp| match tcp.is_bound() {
            true => tcp.listen().map(drop),
            // Since 0.3 an unbound socket listens anywhere; before, it did not.
            false => Err(Failure::InvalidState),
        })
    })?;
    define(tcp, "[method]tcp-socket.finish-listen", |state, (socket,)| finish(state, &socket, Step::Listen))?;
    define(tcp, "[method]tcp-socket.accept", |state, (socket,)| accept(state, &socket))?;
    define(tcp, "[method]tcp-socket.shutdown", |state, (socket, how): (_, ShutdownType)| {
        shut_down(state.table.get(&socket)?, how)
    })?;
    define(tcp, "[method]tcp-socket.subscribe", |state, (socket,): (Resource<Tcp>,)| {
        subscribe(&mut state.table, socket)
    })?;
    define(tcp, "[method]tcp-socket.is-listening", |state, (socket,): (Resource<Tcp>,)| {
        Ok(state.table.get(&socket)?.is_listening())
    })?;
    define(tcp, "[method]tcp-socket.address-family", |state, (socket,): (Resource<Tcp>,)| {
        Ok(match state.table.get(&socket)?.family {
            Family::Ipv4 => IpAddressFamily::Ipv4,
            Family::Ipv6 => IpAddressFamily::Ipv6,
        })
    })?;
    ask(tcp, "local-address", |tcp| tcp.local_address().map(IpSocketAddress::from))?;
    ask(tcp, "remote-address", |tcp| tcp.remote_address().map(IpSocketAddress::from))
}

fn link_options(tcp: &mut LinkerInstance<'_, State>) -> Result<()> {
    define(
        tcp,
        "[method]tcp-socket.set-listen-backlog-size",
        |state, (socket, size): (Resource<Tcp>, u64)| {
            Ok(state.table.get_mut(&socket)?.set_backlog(size).map_err(ErrorCode::from))
        },
    )?;
    ask(tcp, "keep-alive-enabled", Tcp::keep_alive)?;
    set(tcp, "set-keep-alive-enabled", Tcp::set_keep_alive)?;
    ask(tcp, "keep-alive-idle-time", Tcp::keep_alive_idle)?;
    set(tcp, "set-keep-alive-idle-time", Tcp::set_keep_alive_idle)?;
    ask(tcp, "keep-alive-interval", Tcp::keep_alive_interval)?;
    set(tcp, "set-keep-alive-interval", Tcp::set_keep_alive_interval)?;
    ask(tcp, "keep-alive-count", Tcp::keep_alive_count)?;
    set(tcp, "set-keep-alive-count", Tcp::set_keep_alive_count)?;
    ask(tcp, "hop-limit", Tcp::hop_limit)?;
    set(tcp, "set-hop-limit", Tcp::set_hop_limit)?;
    ask(tcp, "receive-buffer-size", Tcp::receive_buffer)?;
    set(tcp, "set-receive-buffer-size", Tcp::set_receive_buffer)?;
    ask(tcp, "send-buffer-size", Tcp::send_buffer)?;
    set(tcp, "set-send-buffer-size", Tcp::set_send_buffer)
}

fn define<P, R>(
    interface: &mut LinkerInstance<'_, State>,
    name: &str,
    f: impl Fn(&mut State, P) -> Result<R> + Send + Sync + 'static,
) -> Result<()>
where
    P: ComponentNamedList + Lift + 'static,
    R: Lower + Send + Sync + 'static,
{
    interface.func_wrap(name, move |mut store: StoreContextMut<'_, State>, params: P| {
        Ok((f(store.data_mut(), params)?,))
    })
}

fn ask<R: Lower + Send + Sync + 'static>(
    tcp: &mut LinkerInstance<'_, State>,
    name: &str,
    f: impl Fn(&Tcp) -> std::result::Result<R, Failure> + Send + Sync + 'static,
) -> Result<()> {
    define(tcp, &format!("[method]tcp-socket.{name}"), move |state, (socket,): (Resource<Tcp>,)| {
        Ok(f(state.table.get(&socket)?).map_err(ErrorCode::from))
    })
}

fn set<V: Lift + Send + Sync + 'static>(
    tcp: &mut LinkerInstance<'_, State>,
    name: &str,
    f: impl Fn(&Tcp, V) -> std::result::Result<(), Failure> + Send + Sync + 'static,
) -> Result<()>
where
    (Resource<Tcp>, V): ComponentNamedList + Lift,
{
    define(tcp, &format!("[method]tcp-socket.{name}"), move |state, (socket, value): (Resource<Tcp>, V)| {
        Ok(f(state.table.get(&socket)?, value).map_err(ErrorCode::from))
    })
}

fn create_socket(state: &mut State, family: IpAddressFamily) -> Answer<Resource<Tcp>> {
    let family = match family {
        IpAddressFamily::Ipv4 => Family::Ipv4,
        IpAddressFamily::Ipv6 => Family::Ipv6,
    };
    match Tcp::new(state.environment.network.clone(), family) {
        Ok(tcp) => Ok(Ok(state.table.push(tcp)?)),
        Err(error) => Ok(Err(error.into())),
    }
}

fn start(
    state: &mut State,
    socket: &Resource<Tcp>,
    step: Step,
    f: impl FnOnce(&mut Tcp) -> std::result::Result<(), Failure>,
) -> Answer<()> {
    let tcp = state.table.get_mut(socket)?;
    if tcp.step.is_some() {
        return Ok(Err(ErrorCode::ConcurrencyConflict));
    }
    Ok(f(tcp).map(|()| tcp.step = Some(step)).map_err(ErrorCode::from))
}

fn finish(state: &mut State, socket: &Resource<Tcp>, step: Step) -> Answer<()> {
    let tcp = state.table.get_mut(socket)?;
    if tcp.step != Some(step) {
        return Ok(Err(ErrorCode::NotInProgress));
    }
    tcp.step = None;
    Ok(Ok(()))
}

fn finish_connect(state: &mut State, socket: &Resource<Tcp>) -> Answer<Ends> {
    let tcp = state.table.get_mut(socket)?;
    if tcp.step != Some(Step::Connect) {
        return Ok(Err(ErrorCode::NotInProgress));
    }
    match tcp.poll_connected(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => Ok(Err(ErrorCode::WouldBlock)),
        Poll::Ready(connected) => {
            tcp.step = None;
            match connected {
                Ok(()) => ends(state, socket),
                Err(error) => Ok(Err(error.into())),
            }
        }
    }
}

fn accept(
    state: &mut State,
    socket: &Resource<Tcp>,
) -> Answer<(Resource<Tcp>, Resource<DynInputStream>, Resource<DynOutputStream>)> {
    let Socket::Listening(acceptor) = &mut state.table.get_mut(socket)?.state else {
        return Ok(Err(ErrorCode::InvalidState));
    };
    let tcp = match acceptor.poll_accept(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => return Ok(Err(ErrorCode::WouldBlock)),
        Poll::Ready(tcp) => tcp,
    };
    if let Socket::Failed(error) = tcp.state {
        return Ok(Err(error.into()));
    }
    let accepted = state.table.push(tcp)?;
    Ok(ends(state, &accepted)?.map(|(input, output)| (accepted, input, output)))
}

/// The two ends of a connected socket, which live no longer than it.
fn ends(state: &mut State, socket: &Resource<Tcp>) -> Answer<Ends> {
    let tcp = state.table.get_mut(socket)?;
    let (input, output) = match (tcp.receiver(), tcp.sender()) {
        (Ok(input), Ok(output)) => (Input(input), Output(output, tcp.network.clone())),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error.into())),
    };
    let input = state.table.push_child(Box::new(input) as DynInputStream, socket)?;
    let output = state.table.push_child(Box::new(output) as DynOutputStream, socket)?;
    Ok(Ok((input, output)))
}

fn shut_down(tcp: &Tcp, how: ShutdownType) -> Answer<()> {
    let Socket::Connected(connection) = &tcp.state else { return Ok(Err(ErrorCode::InvalidState)) };
    lock(&connection.stream).shutdown(match how {
        ShutdownType::Receive => Shutdown::Read,
        ShutdownType::Send => Shutdown::Write,
        ShutdownType::Both => Shutdown::Both,
    });
    send_rest(&tcp.network, &connection.stream);
    Ok(Ok(()))
}

#[async_trait]
impl Pollable for Tcp {
    async fn ready(&mut self) {
        poll_fn(|cx| match &mut self.state {
            Socket::Connecting(_) => self.poll_connected(cx).map(drop),
            Socket::Listening(acceptor) if self.step.is_none() => acceptor.poll_ready(cx),
            _ => Poll::Ready(()),
        })
        .await;
    }
}

/// What a component reads from.
struct Input(Shared);

#[async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {
        poll_fn(|cx| lock(&self.0).poll_readable(cx)).await;
    }
}

impl InputStream for Input {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        match lock(&self.0).poll_read_bytes(&mut Context::from_waker(Waker::noop()), size) {
            Poll::Pending => Ok(Bytes::new()),
            Poll::Ready(Ok(bytes)) if bytes.is_empty() => Err(StreamError::Closed),
            Poll::Ready(Ok(bytes)) => Ok(bytes),
            Poll::Ready(Err(error)) => Err(StreamError::LastOperationFailed(error.into())),
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        lock(&self.0).shutdown(Shutdown::Read);
    }
}

/// What a component writes to.
struct Output(Shared, Arc<Network>);

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {
        // What went wrong is told by the next check.
        let _ = poll_fn(|cx| lock(&self.0).poll_writable(cx)).await;
    }
}

impl OutputStream for Output {
    fn check_write(&mut self) -> StreamResult<usize> {
        match lock(&self.0).poll_writable(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => Ok(0),
            Poll::Ready(Ok(())) => Ok(WRITE_LIMIT),
            Poll::Ready(Err(error)) => Err(failure(error)),
        }
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut stream = lock(&self.0);
        if bytes.len() > WRITE_LIMIT || !stream.is_sent() {
            return Err(StreamError::trap("more was written than permitted"));
        }
        stream.write(&bytes).map_err(failure)?;
        if !stream.is_sent() {
            drop(stream);
            send_rest(&self.1, &self.0);
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }
}

impl Drop for Output {
    /// The end of writing: what was written leaves first, then the peer is told.
    fn drop(&mut self) {
        lock(&self.0).shutdown(Shutdown::Write);
        send_rest(&self.1, &self.0);
    }
}

fn failure(error: io::Error) -> StreamError {
    match error.kind() {
        io::ErrorKind::BrokenPipe => StreamError::Closed,
        _ => StreamError::LastOperationFailed(error.into()),
    }
}
