//! Limits: none is ever absent, each can be set.

use crate::address::allowance;
use crate::problem::Problem;
use governor::clock::Clock;
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// After so many requests, addresses that were quiet are forgotten.
const REQUESTS_PER_SWEEP: u32 = 8192;

/// All limits, as settings have them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections in all.
    pub connections: u32,
    /// Connections of one address (one IPv4 address, or one /64 of IPv6).
    pub connections_per_address: u32,
    /// Seconds for a TLS handshake.
    pub handshake_seconds: u64,
    /// Seconds for the head of a request; over HTTP/1.1 also the longest pause between requests.
    pub header_seconds: u64,
    /// Size of the head of a request.
    pub header_bytes: u32,
    /// Seconds that a connection may be open with nothing going on.
    pub idle_seconds: u64,
    /// Seconds that a body or an answer may stand still.
    pub stall_seconds: u64,
    /// Size of a body, unless a resource has its own limit.
    pub body_bytes: usize,
    /// Slowest body, after a few seconds of grace.
    pub body_bytes_per_second: u64,
    /// Seconds until there is an answer; 0: without limit.
    pub answer_seconds: u64,
    /// Requests being worked on in all.
    pub requests: u32,
    /// Requests over one connection, which is then closed.
    pub requests_per_connection: u64,
    /// Requests at a time over one HTTP/2 connection.
    pub streams_per_connection: u32,
    /// Requests of one address.
    pub rate_per_address: Rate,
    /// Requests in all.
    pub rate: Rate,
    /// Seconds for what is being worked on when the program is told to stop.
    pub drain_seconds: u64,
}

/// A rate of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// In the long run; 0: without limit.
    pub per_second: u32,
    /// At once, after a time of quiet.
    pub burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            connections_per_address: 512,
            handshake_seconds: 10,
            header_seconds: 15,
            header_bytes: 32 << 10,
            idle_seconds: 75,
            stall_seconds: 30,
            body_bytes: 2 << 20,
            body_bytes_per_second: 1024,
            answer_seconds: 60,
            requests: 1024,
            requests_per_connection: 10_000,
            streams_per_connection: 64,
            rate_per_address: Rate { per_second: 100, burst: 200 },
            rate: Rate { per_second: 0, burst: 0 },
            drain_seconds: 30,
        }
    }
}

/// Admits requests, or says when to come back.
pub(crate) struct Gate {
    requests: Arc<Semaphore>,
    rate: Option<DefaultDirectRateLimiter>,
    rate_per_address: Option<DefaultKeyedRateLimiter<IpAddr>>,
    sweep: AtomicU32,
}

impl Gate {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            requests: Arc::new(Semaphore::new(limits.requests as usize)),
            rate: limits.rate.quota().map(RateLimiter::direct),
            rate_per_address: limits.rate_per_address.quota().map(RateLimiter::keyed),
            sweep: AtomicU32::new(0),
        }
    }

    /// Lets a request in, for as long as the permit is held.
    pub(crate) fn admit(&self, address: Option<IpAddr>) -> Result<OwnedSemaphorePermit, Problem> {
        if let (Some(limiter), Some(address)) = (&self.rate_per_address, address) {
            limiter.check_key(&allowance(address)).map_err(|until| {
                let wait = until.wait_time_from(limiter.clock().now());
                too_many(StatusCode::TOO_MANY_REQUESTS, "too many requests from this address", wait)
            })?;
            if self.sweep.fetch_add(1, Relaxed) % REQUESTS_PER_SWEEP == REQUESTS_PER_SWEEP - 1 {
                limiter.retain_recent();
                limiter.shrink_to_fit();
            }
        }
        if let Some(limiter) = &self.rate {
            limiter.check().map_err(|until| {
                let wait = until.wait_time_from(limiter.clock().now());
                too_many(StatusCode::SERVICE_UNAVAILABLE, "too many requests in all", wait)
            })?;
        }
        self.requests.clone().try_acquire_owned().map_err(|_| {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            too_many(status, "too many requests are being worked on", Duration::from_secs(1))
        })
    }
}

fn too_many(status: StatusCode, detail: &str, wait: Duration) -> Problem {
    let code = if status == StatusCode::TOO_MANY_REQUESTS { "rate" } else { "busy" };
    Problem::new(status, code).detail(detail).hint("wait as long as Retry-After says").retry_after(wait)
}

impl Rate {
    fn quota(self) -> Option<Quota> {
        let per_second = NonZeroU32::new(self.per_second)?;
        Some(Quota::per_second(per_second).allow_burst(NonZeroU32::new(self.burst).unwrap_or(per_second)))
    }
}

/// Counts connections.
pub(crate) struct Connections {
    all: Arc<Semaphore>,
    most: u32,
    most_per_address: u32,
    addresses: Addresses,
}

/// Connections per allowance.
type Addresses = Arc<Mutex<HashMap<IpAddr, u32>>>;

/// One counted connection.
pub(crate) struct Counted {
    _permit: OwnedSemaphorePermit,
    address: Option<(IpAddr, Addresses)>,
}

impl Connections {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits.connections as usize)),
            most: limits.connections,
            most_per_address: limits.connections_per_address,
            addresses: Arc::default(),
        }
    }

    /// Counts a connection, or says which limit it meets.
    pub(crate) fn admit(&self, address: Option<IpAddr>) -> Result<Counted, &'static str> {
        let permit = self.all.clone().try_acquire_owned().map_err(|_| "connections")?;
        let Some(address) = address.map(allowance) else {
            return Ok(Counted { _permit: permit, address: None });
        };
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = addresses.entry(address).or_default();
        if *count >= self.most_per_address {
            return Err("connections_per_address");
        }
        *count += 1;
        Ok(Counted { _permit: permit, address: Some((address, self.addresses.clone())) })
    }

    /// Waits until no connection is left.
    pub(crate) async fn ended(&self) {
        let _ = self.all.acquire_many(self.most).await;
    }

    /// How many there are.
    pub(crate) fn open(&self) -> usize {
        self.most as usize - self.all.available_permits()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some((address, addresses)) = &self.address else { return };
        let mut addresses = addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = addresses.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn connections_are_counted_in_all_and_per_address() {
        let limits = Limits { connections: 3, connections_per_address: 2, ..Limits::default() };
        let connections = Connections::new(&limits);
        let first = connections.admit(address(1)).ok();
        let _second = connections.admit(address(1)).expect("two are allowed");
        assert_eq!(connections.admit(address(1)).err(), Some("connections_per_address"));
        let _third = connections.admit(address(2)).expect("three are allowed");
        assert_eq!(connections.admit(None).err(), Some("connections"));
        drop(first);
        assert_eq!(connections.open(), 2);
        let _again = connections.admit(address(1)).expect("one has gone");
        assert_eq!(connections.addresses.lock().map(|map| map.len()).ok(), Some(2));
    }

    #[test]
    fn requests_are_refused_with_a_time_to_wait() {
        let rate_per_address = Rate { per_second: 1, burst: 2 };
        let gate = Gate::new(&Limits { requests: 2, rate_per_address, ..Limits::default() });
        let refused =
            |last| gate.admit(address(last)).err().map(|problem| (problem.status.as_u16(), problem.code));
        let _first = gate.admit(address(1)).expect("within the burst");
        drop(gate.admit(address(1)).expect("within the burst"));
        assert_eq!(refused(1), Some((429, "rate".into())));
        let _second = gate.admit(address(2)).expect("another address");
        assert_eq!(refused(3), Some((503, "busy".into())));
        assert!(gate.admit(None).err().is_some_and(|problem| problem.retry_after.is_some()));
    }
}
