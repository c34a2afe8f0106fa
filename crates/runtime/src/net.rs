//! Sockets the manifest declares: the network is outside, TLS is inside.
