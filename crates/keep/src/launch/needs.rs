//! What a manifest makes its keep need of the host, and therefore all that its confinement lets through.

use api::launch::Order;
use api::manifest::{FileKind, Manifest, Prot};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The port on which a name server is asked over TCP, when its answer over UDP was cut short.
const DNS_PORT: u16 = 53;

/// What a keep needs of the host.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Needs {
    /// TCP ports to listen on.
    pub tcp_listen: Vec<u16>,
    /// TCP ports to connect to.
    pub tcp_connect: Vec<u16>,
    /// UDP sockets, to a peer or to a name server.
    pub udp: bool,
    /// Names to resolve, hence the resolver's configuration to read.
    pub names: bool,
    /// For each preopened directory, whether it may be changed.
    pub dirs_writable: Vec<bool>,
    /// The map of its own pages: with it Wasmtime wipes what a request has touched, and no more.
    pub pagemap: bool,
}

impl Needs {
    /// The needs of a manifest and the directories given beside it.
    pub(crate) fn of(manifest: &Manifest, order: &Order) -> Self {
        let dirs_writable = order.dirs.iter().map(|dir| !dir.read_only).collect();
        let mut needs = Self { dirs_writable, ..Self::default() };
        for file in &manifest.files {
            match &file.kind {
                FileKind::Null | FileKind::Stdin | FileKind::Stdout | FileKind::Stderr => {}
                FileKind::Listen { prot: Prot::Udp, addr, .. } => {
                    needs.udp = true;
                    needs.resolve(addr);
                }
                FileKind::Listen { prot: Prot::Tcp | Prot::Tls, addr, port } => {
                    needs.tcp_listen.push(*port);
                    needs.pagemap = true;
                    needs.resolve(addr);
                }
                FileKind::Connect { prot: Prot::Udp, host, .. } => {
                    needs.udp = true;
                    needs.resolve(host);
                }
                FileKind::Connect { prot: Prot::Tcp | Prot::Tls, host, port } => {
                    needs.tcp_connect.push(*port);
                    needs.resolve(host);
                }
            }
        }
        needs
    }

    fn resolve(&mut self, host: &str) {
        if host.parse::<IpAddr>().is_err() && !self.names {
            self.names = true;
            self.udp = true;
            self.tcp_connect.push(DNS_PORT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_declared() {
        let none = Needs::default();
        let cases = [
            ("", none.clone()),
            (
                "[[files]]\nkind='listen'\nname='x'\nprot='tls'\nport=0",
                Needs { tcp_listen: vec![0], pagemap: true, ..none.clone() },
            ),
            (
                "[[files]]\nkind='connect'\nprot='tcp'\nhost='::1'\nport=7",
                Needs { tcp_connect: vec![7], ..none.clone() },
            ),
            (
                "[[files]]\nkind='connect'\nprot='tcp'\nhost='h'",
                Needs { tcp_connect: vec![80, 53], udp: true, names: true, ..none.clone() },
            ),
            ("[[files]]\nkind='listen'\nname='x'\nprot='udp'\nport=5", Needs { udp: true, ..none }),
        ];
        let order = Order {
            manifest: String::new(),
            args: vec![],
            env: Default::default(),
            dirs: vec![],
            roots: None,
            cache: false,
            known: None,
        };
        for (text, expected) in cases {
            assert_eq!(Needs::of(&Manifest::parse(text).unwrap(), &order), expected, "{text}");
        }
    }
}
