//! Who calls: the peer of the connection, and who stands behind a trusted proxy.

use http::HeaderMap;
use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// Entries of forwarding headers that are read at most: nobody has more proxies.
const HOPS_MOST: usize = 16;

/// The other end of a connection, in each request's extensions.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// Its address; none on a socket of the file system.
    pub address: Option<SocketAddr>,
    /// The certificates it presented, its own first. It has proved to hold the key; whether the chain is to be trusted,
    /// [`tls`](crate::tls) says, which may leave that to the program.
    pub certificates: Arc<[CertificateDer<'static>]>,
    /// Whether the connection is encrypted by us.
    pub encrypted: bool,
}

/// The caller, after trusted proxies were looked through, in each request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its address; none if it is a process of this machine.
    pub address: Option<IpAddr>,
    /// Whether the connection comes from a trusted proxy.
    pub proxied: bool,
}

/// The proxies whose word is taken.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Proxies with these addresses or networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Who calls. The last hop that is no trusted proxy counts; what it says of hops before itself may be invented.
    pub fn caller(&self, peer: &Peer, headers: &HeaderMap) -> Caller {
        let Some(nearest) = peer.address.map(|address| address.ip().to_canonical()) else {
            return Caller { address: None, proxied: false };
        };
        if !self.trusts(nearest) {
            return Caller { address: Some(nearest), proxied: false };
        }
        let mut address = nearest;
        for hop in hops(headers).into_iter().rev().take(HOPS_MOST) {
            match hop {
                Some(hop) => address = hop,
                // "unknown", an obfuscated name, or nonsense: nothing before it is worth more.
                None => break,
            }
            if !self.trusts(address) {
                break;
            }
        }
        Caller { address: Some(address), proxied: true }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Addresses that share one allowance: one IPv4 address, or the /64 that one IPv6 customer has at least.
pub fn allowance(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

/// The hops of `Forwarded` (RFC 7239) or, without it, of `X-Forwarded-For`, nearest last.
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    fn entries<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
        headers.get_all(name).iter().flat_map(|value| value.to_str().unwrap_or("?").split(','))
    }
    if headers.contains_key("forwarded") {
        return entries(headers, "forwarded").map(forwarded_for).collect();
    }
    entries(headers, "x-forwarded-for").map(node).collect()
}

fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    node(value.trim().trim_matches('"'))
}

/// RFC 7239 section 6: an address, IPv6 in brackets, perhaps with a port.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = || text.trim_start_matches('[').trim_end_matches(']').parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(peer: &str, header: (&'static str, &str), expected: &str, proxied: bool) {
        let proxies =
            Proxies::new(vec!["10.0.0.0/8".parse().expect("a network"), "::1/128".parse().expect("one")]);
        let peer = Peer { address: Some(peer.parse().expect("an address")), ..Peer::default() };
        let mut headers = HeaderMap::new();
        headers.insert(header.0, header.1.parse().expect("a header"));
        let expected = Caller { address: Some(expected.parse().expect("an address")), proxied };
        assert_eq!(proxies.caller(&peer, &headers), expected, "{header:?}");
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        check("192.0.2.1:5", ("x-forwarded-for", "198.51.100.7"), "192.0.2.1", false);
        check("10.1.1.1:5", ("x-forwarded-for", "198.51.100.7"), "198.51.100.7", true);
        check("10.1.1.1:5", ("x-forwarded-for", "6.6.6.6, 198.51.100.7, 10.2.2.2"), "198.51.100.7", true);
        check("10.1.1.1:5", ("x-forwarded-for", "6.6.6.6, nonsense"), "10.1.1.1", true);
        check(
            "[::1]:5",
            ("forwarded", "for=6.6.6.6, For=\"[2001:db8::1]:4711\";proto=https"),
            "2001:db8::1",
            true,
        );
        check("[::ffff:10.1.1.1]:5", ("forwarded", "for=192.0.2.9:80;by=x"), "192.0.2.9", true);
        check("10.1.1.1:5", ("forwarded", "for=unknown"), "10.1.1.1", true);
    }

    #[test]
    fn one_allowance_for_a_customer() {
        let allowance = |text: &str| super::allowance(text.parse().expect("an address")).to_string();
        assert_eq!(allowance("2001:db8:1:2:3::4"), "2001:db8:1:2::");
        assert_eq!(allowance("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
