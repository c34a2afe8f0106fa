//! UDP sockets are Wasmtime's own, asked for permission before each address they use. A declared listener may be
//! bound, hears from everybody, and may answer whom it heard; a declared peer may be sent to and heard from.

use crate::wasi2::link::{WASI_0_2, WASI_0_3};
use crate::wasi2::network::Network;
use crate::wasi2::policy::Transport;
use crate::wasi2::store::State;
use std::net::SocketAddr;
use std::sync::Arc;
use wasmtime::component::{Linker, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::sockets::{SocketAddrUse, WasiSocketsView};
use wasmtime_wasi::{WasiCtxBuilder, p2, p3};

/// Lets a component use UDP as far as the network is declared.
pub fn allow(wasi: &mut WasiCtxBuilder, network: &Arc<Network>) {
    let network = network.clone();
    wasi.allow_udp(true).socket_addr_check(move |addr, r#use| {
        let allowed = may_use(&network, addr, r#use);
        Box::pin(std::future::ready(allowed))
    });
}

fn may_use(network: &Network, addr: SocketAddr, r#use: SocketAddrUse) -> bool {
    match r#use {
        SocketAddrUse::UdpBind => network.bind(Transport::Udp, addr).is_ok(),
        SocketAddrUse::UdpSend => network.has_heard(addr) || network.connect(Transport::Udp, addr).is_ok(),
        SocketAddrUse::UdpReceive => network.hears(addr),
        // TCP is ours.
        SocketAddrUse::TcpBind
        | SocketAddrUse::TcpListen
        | SocketAddrUse::TcpAccept
        | SocketAddrUse::TcpConnect => false,
    }
}

/// Has the host told which socket is refused and where a declared listener is bound, in 0.2.
pub fn link_0_2(linker: &mut Linker<State>) -> Result<()> {
    use p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};
    use p2::bindings::sockets::udp::{HostUdpSocket, UdpSocket};
    use p2::bindings::sockets::udp_create_socket::Host;
    linker.instance(&format!("wasi:sockets/udp-create-socket@{WASI_0_2}"))?.func_wrap_async(
        "create-udp-socket",
        |mut store: StoreContextMut<'_, State>, (family,): (IpAddressFamily,)| {
            Box::new(async move {
                let state = store.data_mut();
                if state.environment.network.socket(Transport::Udp).is_err() {
                    return Ok((Err(ErrorCode::AccessDenied),));
                }
                Ok((match state.sockets().create_udp_socket(family).await {
                    Ok(socket) => Ok(socket),
                    Err(error) => Err(error.downcast()?),
                },))
            })
        },
    )?;
    linker.instance(&format!("wasi:sockets/udp@{WASI_0_2}"))?.func_wrap(
        "[method]udp-socket.finish-bind",
        |mut store: StoreContextMut<'_, State>, (socket,): (Resource<UdpSocket>,)| {
            let state = store.data_mut();
            let bound = state.sockets().finish_bind(Resource::new_borrow(socket.rep()));
            if bound.is_ok()
                && let Ok(addr) = state.sockets().local_address(Resource::new_borrow(socket.rep()))
            {
                state.environment.network.listening_for_datagrams(addr.into());
            }
            Ok((match bound {
                Ok(()) => Ok(()),
                Err(error) => Err(error.downcast()?),
            },))
        },
    )
}

/// The same in 0.3.
pub fn link_0_3(linker: &mut Linker<State>) -> Result<()> {
    use p3::bindings::sockets::types::{
        ErrorCode, HostUdpSocket, IpAddressFamily, IpSocketAddress, UdpSocket,
    };
    let types = &mut linker.instance(&format!("wasi:sockets/types@{WASI_0_3}"))?;
    types.func_wrap_async(
        "[static]udp-socket.create",
        |mut store: StoreContextMut<'_, State>, (family,): (IpAddressFamily,)| {
            Box::new(async move {
                let state = store.data_mut();
                if state.environment.network.socket(Transport::Udp).is_err() {
                    return Ok((Err(ErrorCode::AccessDenied),));
                }
                Ok((match state.sockets().create(family).await {
                    Ok(socket) => Ok(socket),
                    Err(error) => Err(error.downcast()?),
                },))
            })
        },
    )?;
    types.func_wrap_async(
        "[method]udp-socket.bind",
        |mut store: StoreContextMut<'_, State>, (socket, addr): (Resource<UdpSocket>, IpSocketAddress)| {
            Box::new(async move {
                let state = store.data_mut();
                let bound = state.sockets().bind(Resource::new_borrow(socket.rep()), addr).await;
                if bound.is_ok()
                    && let Ok(addr) = state.sockets().get_local_address(Resource::new_borrow(socket.rep()))
                {
                    state.environment.network.listening_for_datagrams(addr.into());
                }
                Ok((match bound {
                    Ok(()) => Ok(()),
                    Err(error) => Err(error.downcast()?),
                },))
            })
        },
    )
}
