//! What the manifest lets a component do on the network: bind what it declares with `kind = "listen"`, reach what it
//! declares with `kind = "connect"`, resolve the names of those, and nothing else.
//!
//! Pure: addresses go in, permissions or refusals come out. The same policy decides for `wasi:sockets` of both
//! generations and for `wasi:http`.

use api::manifest::{File, FileKind, Prot};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Addresses remembered for one name; a service behind more is asked for again.
const ADDRESSES_PER_NAME: usize = 64;
/// Datagram senders that may be answered.
const SENDERS: usize = 4096;

/// The declared network.
pub struct Policy {
    listeners: Vec<Listener>,
    peers: Vec<Peer>,
}

/// A declared `listen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name in the manifest.
    pub name: String,
    /// Transport and protection.
    pub prot: Prot,
    /// Where; port 0 stands for any free one.
    pub addr: SocketAddr,
}

/// A declared `connect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Transport and protection.
    pub prot: Prot,
    /// Its name or address, as declared but in lower case.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// What carries a connection or a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Connections, with or without TLS.
    Tcp,
    /// Datagrams.
    Udp,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was tried.
    pub operation: String,
    /// What the manifest would have to say.
    pub rule: String,
}

impl Policy {
    /// The policy of a manifest, or what is wrong with an address in it.
    pub fn new(files: &[File]) -> Result<Self, String> {
        let (mut listeners, mut peers) = (Vec::new(), Vec::new());
        for File { kind, name } in files {
            match kind {
                FileKind::Listen { prot, addr, port } => {
                    let ip = parse_ip(addr)
                        .ok_or_else(|| format!("the address {addr:?} of {name:?} is not an IP address"))?;
                    let addr = SocketAddr::new(ip, *port);
                    listeners.push(Listener { name: name.clone(), prot: *prot, addr });
                }
                FileKind::Connect { prot, host, port } => {
                    peers.push(Peer { prot: *prot, host: host.to_ascii_lowercase(), port: *port });
                }
                FileKind::Null | FileKind::Stdin | FileKind::Stdout | FileKind::Stderr => {}
            }
        }
        Ok(Self { listeners, peers })
    }

    /// The declared listeners.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// Whether a socket may be bound to `addr`, and for which listener. Without one, the socket may connect or send
    /// but not listen: any free port serves where a peer is declared.
    pub fn bind(&self, transport: Transport, addr: SocketAddr) -> Result<Option<&Listener>, Refusal> {
        let serves = |listener: &&Listener| transport.carries(listener.prot) && covers(listener.addr, addr);
        if let Some(listener) = self.listeners.iter().find(serves) {
            return Ok(Some(listener));
        }
        if addr.port() == 0 && self.peers.iter().any(|peer| transport.carries(peer.prot)) {
            return Ok(None);
        }
        Err(self.refuse_bind(transport, addr))
    }

    /// The refusal to let a socket bound to `addr` take connections.
    pub fn refuse_bind(&self, transport: Transport, addr: SocketAddr) -> Refusal {
        let (ip, port) = (addr.ip().to_string(), addr.port());
        let rule = Rule {
            kind: "listen",
            name: Some(format!("port-{port}")),
            prot: transport.prot(),
            at: ("addr", &ip),
            port,
        };
        Refusal { operation: format!("listen on {addr} ({transport})"), rule: rule.to_string() }
    }

    /// Whether a socket may be made at all: where none is declared, the keep's confinement has none.
    pub fn socket(&self, transport: Transport) -> Result<(), Refusal> {
        let mut declared = self
            .listeners
            .iter()
            .map(|listener| listener.prot)
            .chain(self.peers.iter().map(|peer| peer.prot));
        if declared.any(|prot| transport.carries(prot)) { Ok(()) } else { Err(self.refuse_socket(transport)) }
    }

    fn refuse_socket(&self, transport: Transport) -> Refusal {
        let rule =
            Rule { kind: "connect", name: None, prot: transport.prot(), at: ("host", "HOST"), port: 443 };
        Refusal { operation: format!("open a socket ({transport})"), rule: rule.to_string() }
    }

    /// The peer that `addr` belongs to, by its own declaration or by a name that was resolved to it.
    pub fn connect(&self, transport: Transport, addr: SocketAddr, names: &Names) -> Result<&Peer, Refusal> {
        let ip = addr.ip().to_canonical();
        let is_peer = |peer: &&Peer| {
            transport.carries(peer.prot)
                && peer.port == addr.port()
                && (parse_ip(&peer.host).is_some_and(|declared| declared.to_canonical() == ip)
                    || names.stands_for(&peer.host, ip))
        };
        self.peers.iter().find(is_peer).ok_or_else(|| {
            let host = names.name_of(ip).map_or_else(|| ip.to_string(), str::to_owned);
            let rule = Rule {
                kind: "connect",
                name: None,
                prot: transport.prot(),
                at: ("host", &host),
                port: addr.port(),
            };
            Refusal { operation: format!("connect to {addr} ({transport})"), rule: rule.to_string() }
        })
    }

    /// Whether `name` may be resolved. An address stands for itself.
    pub fn resolve(&self, name: &str) -> Result<(), Refusal> {
        let declared = |peer: &Peer| peer.host.eq_ignore_ascii_case(name);
        if parse_ip(name).is_some() || self.peers.iter().any(declared) {
            return Ok(());
        }
        let rule = Rule { kind: "connect", name: None, prot: Prot::Tls, at: ("host", name), port: 443 };
        Err(Refusal { operation: format!("resolve the name {name:?}"), rule: rule.to_string() })
    }

    /// The peer an HTTP request to `host` goes to; `prot` follows from its scheme.
    pub fn request(&self, prot: Prot, host: &str, port: u16) -> Result<&Peer, Refusal> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_peer =
            |peer: &&Peer| peer.prot == prot && peer.port == port && peer.host.eq_ignore_ascii_case(host);
        self.peers.iter().find(is_peer).ok_or_else(|| {
            let scheme = if prot == Prot::Tls { "https" } else { "http" };
            let rule = Rule { kind: "connect", name: None, prot, at: ("host", host), port };
            Refusal { operation: format!("request {scheme}://{host}:{port}"), rule: rule.to_string() }
        })
    }
}

impl Transport {
    fn carries(self, prot: Prot) -> bool {
        match self {
            Self::Tcp => prot != Prot::Udp,
            Self::Udp => prot == Prot::Udp,
        }
    }

    const fn prot(self) -> Prot {
        match self {
            Self::Tcp => Prot::Tcp,
            Self::Udp => Prot::Udp,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.prot().word())
    }
}

/// Which addresses were given out for which names. What a resolver answers is not trusted: a name only decides which
/// rule applies, and with TLS the peer's certificate has to prove it.
#[derive(Default)]
pub struct Names(BTreeMap<String, VecDeque<IpAddr>>);

impl Names {
    /// Remembers what `name` was resolved to.
    pub fn remember(&mut self, name: &str, addresses: &[IpAddr]) {
        let known = self.0.entry(name.to_ascii_lowercase()).or_default();
        for address in addresses.iter().map(IpAddr::to_canonical) {
            if !known.contains(&address) {
                known.truncate(ADDRESSES_PER_NAME - 1);
                known.push_front(address);
            }
        }
    }

    fn stands_for(&self, name: &str, ip: IpAddr) -> bool {
        self.0.get(name).is_some_and(|known| known.contains(&ip))
    }

    fn name_of(&self, ip: IpAddr) -> Option<&str> {
        self.0.iter().find(|(_, known)| known.contains(&ip)).map(|(name, _)| name.as_str())
    }
}

/// Who sent datagrams to a declared listener, and so may be answered.
#[derive(Default)]
pub struct Senders(VecDeque<SocketAddr>);

impl Senders {
    /// Remembers a sender, forgetting the one that was silent longest.
    pub fn remember(&mut self, addr: SocketAddr) {
        if self.0.front() == Some(&addr) {
            return;
        }
        if let Some(position) = self.0.iter().position(|known| *known == addr) {
            self.0.remove(position);
        }
        self.0.truncate(SENDERS - 1);
        self.0.push_front(addr);
    }

    /// Whether `addr` may be answered.
    pub fn contains(&self, addr: SocketAddr) -> bool {
        self.0.contains(&addr)
    }
}

/// Whether a listener declared at `declared` may be bound to `asked`. An unspecified address stands for all of its
/// family, and `::` for those of IPv4 too, as a dual-stack socket does.
fn covers(declared: SocketAddr, asked: SocketAddr) -> bool {
    let port = declared.port() == 0 || declared.port() == asked.port();
    port && match declared.ip() {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => true,
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => asked.is_ipv4(),
        ip => ip == asked.ip(),
    }
}

fn parse_ip(text: &str) -> Option<IpAddr> {
    text.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// An entry of `Enarx.toml`.
struct Rule<'a> {
    kind: &'a str,
    name: Option<String>,
    prot: Prot,
    at: (&'a str, &'a str),
    port: u16,
}

impl fmt::Display for Rule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[[files]]\nkind = {:?}", self.kind)?;
        if let Some(name) = &self.name {
            writeln!(f, "name = {name:?}")?;
        }
        writeln!(f, "prot = {:?}\n{} = {:?}", self.prot.word(), self.at.0, self.at.1)?;
        write!(f, "port = {}", self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Policy {
        Policy::new(&api::manifest::Manifest::parse(text).unwrap().files).unwrap()
    }

    fn sample() -> Policy {
        policy(
            r#"
            files = [
                { kind = "listen", name = "web", prot = "tls", addr = "127.0.0.1", port = 8443 },
                { kind = "listen", name = "any", prot = "udp", addr = "::", port = 5353 },
                { kind = "connect", host = "Example.org", prot = "tls", port = 443 },
                { kind = "connect", host = "192.0.2.7", prot = "tcp", port = 80 },
            ]"#,
        )
    }

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_declared_addresses_are_bound() {
        let policy = sample();
        let name = |transport, at| policy.bind(transport, addr(at)).map(|l| l.map(|l| l.name.as_str()));
        assert_eq!(name(Transport::Tcp, "127.0.0.1:8443"), Ok(Some("web")));
        assert_eq!(name(Transport::Udp, "192.0.2.1:5353"), Ok(Some("any")));
        assert_eq!(name(Transport::Tcp, "0.0.0.0:0"), Ok(None), "a peer is declared");
        assert!(name(Transport::Tcp, "0.0.0.0:8443").is_err(), "more than was declared");
        assert!(name(Transport::Udp, "127.0.0.1:8443").is_err(), "another transport");
        assert!(name(Transport::Udp, "0.0.0.0:0").is_err(), "no peer takes datagrams");
    }

    #[test]
    fn an_address_is_reached_by_its_rule_or_by_a_resolved_name() {
        let policy = sample();
        let mut names = Names::default();
        assert_eq!(policy.connect(Transport::Tcp, addr("192.0.2.7:80"), &names).unwrap().prot, Prot::Tcp);
        assert!(policy.connect(Transport::Tcp, addr("198.51.100.1:443"), &names).is_err());
        names.remember("example.org", &["198.51.100.1".parse().unwrap()]);
        let peer = policy.connect(Transport::Tcp, addr("198.51.100.1:443"), &names).unwrap();
        assert_eq!((peer.prot, peer.host.as_str()), (Prot::Tls, "example.org"));
        assert!(policy.connect(Transport::Tcp, addr("198.51.100.1:80"), &names).is_err(), "another port");
    }

    #[test]
    fn only_declared_names_are_resolved_and_requested() {
        let policy = sample();
        assert_eq!(policy.resolve("EXAMPLE.org"), Ok(()));
        assert_eq!(policy.resolve("203.0.113.9"), Ok(()));
        assert!(policy.resolve("example.com").is_err());
        assert!(policy.request(Prot::Tls, "example.org", 443).is_ok());
        assert!(policy.request(Prot::Tcp, "example.org", 443).is_err(), "not over plain HTTP");
    }

    #[test]
    fn a_refusal_tells_the_rule_that_would_allow_it() {
        let nothing = policy("");
        let refusal = nothing.bind(Transport::Tcp, addr("127.0.0.1:80")).unwrap_err();
        let connect =
            nothing.connect(Transport::Udp, addr("[2001:db8::1]:53"), &Names::default()).unwrap_err();
        let request = nothing.request(Prot::Tls, "api.example.com", 443).unwrap_err();
        assert_eq!(refusal.operation, "listen on 127.0.0.1:80 (tcp)");
        assert_eq!(connect.operation, "connect to [2001:db8::1]:53 (udp)");
        assert!(policy(&refusal.rule).bind(Transport::Tcp, addr("127.0.0.1:80")).is_ok());
        let names = Names::default();
        assert!(policy(&connect.rule).connect(Transport::Udp, addr("[2001:db8::1]:53"), &names).is_ok());
        assert!(policy(&request.rule).request(Prot::Tls, "api.example.com", 443).is_ok());
        assert!(policy(&nothing.resolve("a.example").unwrap_err().rule).resolve("a.example").is_ok());
    }

    #[test]
    fn memories_are_bounded() {
        let mut names = Names::default();
        let many: Vec<IpAddr> = (0..200).map(|n| Ipv4Addr::new(192, 0, 2, n).into()).collect();
        names.remember("a", &many);
        assert_eq!(names.0["a"].len(), ADDRESSES_PER_NAME);
        assert!(names.stands_for("a", many[199]) && !names.stands_for("a", many[0]));
        let mut senders = Senders::default();
        (0..=u16::MAX).for_each(|port| senders.remember(SocketAddr::new(many[0], port)));
        assert_eq!(senders.0.len(), SENDERS);
        assert!(senders.contains(SocketAddr::new(many[0], u16::MAX)));
    }
}
