//! Options of TCP sockets, with the ranges that `wasi:sockets` prescribes.

use super::{Connection, Family, State, Tcp, lock};
use rustix::io::Errno;
use rustix::net::sockopt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;
use wasmtime_wasi::sockets::ErrorCode;

/// Linux keeps these in fewer bits than a component may ask for (tcp(7), `TCP_KEEPIDLE` and `TCP_KEEPCNT`).
const KEEP_ALIVE_MOST: Duration = Duration::from_secs(i16::MAX as u64);
const KEEP_ALIVE_PROBES_MOST: u32 = i8::MAX as u32;

impl Tcp {
    pub(super) fn set_backlog(&mut self, backlog: u64) -> Result<(), ErrorCode> {
        if backlog == 0 {
            return Err(ErrorCode::InvalidArgument);
        }
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        match &self.state {
            State::Fresh(..) => {}
            State::Listening(acceptor) => {
                rustix::net::listen(&acceptor.socket, backlog).map_err(io::Error::from)?
            }
            _ => return Err(ErrorCode::InvalidState),
        }
        self.backlog = backlog.unsigned_abs();
        Ok(())
    }

    pub(super) fn keep_alive(&self) -> Result<bool, ErrorCode> {
        self.option(|socket| sockopt::socket_keepalive(socket))
    }

    pub(super) fn set_keep_alive(&self, on: bool) -> Result<(), ErrorCode> {
        self.option(|socket| sockopt::set_socket_keepalive(socket, on))
    }

    pub(super) fn keep_alive_idle(&self) -> Result<u64, ErrorCode> {
        self.option(|socket| sockopt::tcp_keepidle(socket)).map(nanoseconds)
    }

    pub(super) fn set_keep_alive_idle(&self, time: u64) -> Result<(), ErrorCode> {
        let time = keep_alive_time(time)?;
        self.option(|socket| sockopt::set_tcp_keepidle(socket, time))
    }

    pub(super) fn keep_alive_interval(&self) -> Result<u64, ErrorCode> {
        self.option(|socket| sockopt::tcp_keepintvl(socket)).map(nanoseconds)
    }

    pub(super) fn set_keep_alive_interval(&self, time: u64) -> Result<(), ErrorCode> {
        let time = keep_alive_time(time)?;
        self.option(|socket| sockopt::set_tcp_keepintvl(socket, time))
    }

    pub(super) fn keep_alive_count(&self) -> Result<u32, ErrorCode> {
        self.option(|socket| sockopt::tcp_keepcnt(socket))
    }

    pub(super) fn set_keep_alive_count(&self, count: u32) -> Result<(), ErrorCode> {
        let count = positive(count)?.min(KEEP_ALIVE_PROBES_MOST);
        self.option(|socket| sockopt::set_tcp_keepcnt(socket, count))
    }

    pub(super) fn hop_limit(&self) -> Result<u8, ErrorCode> {
        self.option(|socket| match self.family {
            Family::Ipv4 => sockopt::ip_ttl(socket).map(|ttl| u8::try_from(ttl).unwrap_or(u8::MAX)),
            Family::Ipv6 => sockopt::ipv6_unicast_hops(socket),
        })
    }

    pub(super) fn set_hop_limit(&self, hops: u8) -> Result<(), ErrorCode> {
        let hops = positive(hops)?;
        self.option(|socket| match self.family {
            Family::Ipv4 => sockopt::set_ip_ttl(socket, hops.into()),
            Family::Ipv6 => sockopt::set_ipv6_unicast_hops(socket, Some(hops)),
        })
    }

    pub(super) fn receive_buffer(&self) -> Result<u64, ErrorCode> {
        self.option(|socket| sockopt::socket_recv_buffer_size(socket)).map(halved)
    }

    pub(super) fn set_receive_buffer(&self, size: u64) -> Result<(), ErrorCode> {
        let size = buffer_size(size)?;
        self.option(|socket| sockopt::set_socket_recv_buffer_size(socket, size))
    }

    pub(super) fn send_buffer(&self) -> Result<u64, ErrorCode> {
        self.option(|socket| sockopt::socket_send_buffer_size(socket)).map(halved)
    }

    pub(super) fn set_send_buffer(&self, size: u64) -> Result<(), ErrorCode> {
        let size = buffer_size(size)?;
        self.option(|socket| sockopt::set_socket_send_buffer_size(socket, size))
    }

    /// Works on the socket, which is the component's in every state but two.
    fn option<T>(&self, f: impl FnOnce(BorrowedFd<'_>) -> Result<T, Errno>) -> Result<T, ErrorCode> {
        let result = match &self.state {
            State::Fresh(socket, _) => f(socket.as_fd()),
            State::Listening(acceptor) => f(acceptor.socket.as_fd()),
            State::Connected(Connection { stream, .. }) => f(lock(stream).socket().as_fd()),
            State::Connecting(_) => return Err(ErrorCode::InvalidState),
            State::Failed(error) => return Err(*error),
        };
        Ok(result.map_err(io::Error::from)?)
    }
}

fn positive<T: Default + PartialEq>(value: T) -> Result<T, ErrorCode> {
    if value == T::default() { Err(ErrorCode::InvalidArgument) } else { Ok(value) }
}

fn keep_alive_time(nanoseconds: u64) -> Result<Duration, ErrorCode> {
    let time = Duration::from_nanos(positive(nanoseconds)?);
    Ok(time.clamp(Duration::from_secs(1), KEEP_ALIVE_MOST))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn buffer_size(size: u64) -> Result<usize, ErrorCode> {
    Ok(usize::try_from(positive(size)?).unwrap_or(usize::MAX).min(i32::MAX as usize))
}

/// Linux doubles what it is asked for, to have room for its bookkeeping (socket(7), `SO_RCVBUF`).
const fn halved(size: usize) -> u64 {
    size as u64 / 2
}
