//! Addresses of services and node ports: which are free.
//!
//! The sets in memory only keep requests that run at the same time apart; they are filled from the stored services when
//! the server starts.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::config::Config;

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The network's address.
    pub base: u32,
    /// Bits of the prefix.
    pub bits: u32,
}

impl Range {
    /// Parses `10.0.0.0/16`.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let (address, bits): (Ipv4Addr, u32) = (address.parse().ok()?, bits.parse().ok()?);
        if bits > 32 {
            return None;
        }
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        Some(Self { base: u32::from(address) & mask, bits })
    }

    fn size(self) -> u64 {
        1 << (32 - self.bits)
    }

    /// The address at `offset` from the network's own.
    pub fn at(self, offset: u32) -> Ipv4Addr {
        Ipv4Addr::from(self.base.wrapping_add(offset))
    }

    /// Whether an address is one that a service may have: not the network's own, not the broadcast address.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        let offset = u64::from(u32::from(address).wrapping_sub(self.base));
        offset >= 1 && offset < self.size().saturating_sub(1).max(1)
    }
}

#[derive(Default)]
struct Used {
    addresses: HashSet<Ipv4Addr>,
    ports: HashSet<u16>,
}

/// The addresses and ports of services.
pub struct Allocators {
    /// The service range.
    pub range: Range,
    ports: (u16, u16),
    used: Mutex<Used>,
}

impl Allocators {
    /// Nothing is used yet but the first address, which is the API server's.
    pub fn new(config: &Config) -> Self {
        let range = Range::parse(&config.service_cluster_ip_range).unwrap_or(Range { base: 0x0a00_0000, bits: 16 });
        Self { range, ports: config.service_node_port_range, used: Mutex::default() }
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks an address as used; false when it is already.
    pub fn take_address(&self, address: Ipv4Addr) -> bool {
        self.used().addresses.insert(address)
    }

    /// Gives an address back.
    pub fn release_address(&self, address: Ipv4Addr) {
        self.used().addresses.remove(&address);
    }

    /// Takes a free address near `seed`. As in the reference server, the lower part of the range is left to those who
    /// ask for an address by themselves, while there are others.
    pub fn free_address(&self, seed: u64) -> Option<Ipv4Addr> {
        let last = self.range.size().checked_sub(2)?;
        let reserved = (self.range.size() / 16).clamp(16, 256).min(last.saturating_sub(1));
        let span = last - reserved;
        let upper = (0..span).map(|i| reserved + 1 + (seed.wrapping_add(i)) % span.max(1));
        let mut used = self.used();
        let offset = upper.chain(1..=reserved).find(|offset| {
            u32::try_from(*offset).is_ok_and(|offset| !used.addresses.contains(&self.range.at(offset)))
        })?;
        let address = self.range.at(u32::try_from(offset).ok()?);
        used.addresses.insert(address);
        Some(address)
    }

    /// Marks a node port as used; false when it is already.
    pub fn take_port(&self, port: u16) -> bool {
        self.used().ports.insert(port)
    }

    /// Whether a port is one that services may have.
    pub fn in_port_range(&self, port: u16) -> bool {
        (self.ports.0..=self.ports.1).contains(&port)
    }

    /// First and last node port.
    pub fn port_range(&self) -> (u16, u16) {
        self.ports
    }

    /// Gives a node port back.
    pub fn release_port(&self, port: u16) {
        self.used().ports.remove(&port);
    }

    /// Takes a free node port near `seed`. As in the reference server, the lower part of the range is left to those who
    /// ask for a port by themselves, while there are others.
    pub fn free_port(&self, seed: u64) -> Option<u16> {
        let (first, last) = self.ports;
        let size = u64::from(last.checked_sub(first)?) + 1;
        let reserved = if size <= 16 { 0 } else { (size / 32).clamp(16, 128) };
        let span = size - reserved;
        let upper = (0..span).map(|i| reserved + seed.wrapping_add(i) % span);
        let mut used = self.used();
        let port = upper
            .chain(0..reserved)
            .filter_map(|offset| u16::try_from(u64::from(first) + offset).ok())
            .find(|port| !used.ports.contains(port))?;
        used.ports.insert(port);
        Some(port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_given_out_once() {
        let config = Config { service_cluster_ip_range: "10.9.0.0/27".into(), ..Config::default() };
        let allocators = Allocators::new(&config);
        assert!(allocators.take_address(Ipv4Addr::new(10, 9, 0, 1)));
        let mut given: Vec<_> = std::iter::from_fn(|| allocators.free_address(7)).collect();
        given.sort_unstable();
        given.dedup();
        assert_eq!(given.len(), 29);
        assert!(allocators.range.contains(Ipv4Addr::new(10, 9, 0, 30)));
        assert!(!allocators.range.contains(Ipv4Addr::new(10, 9, 0, 31)));
        assert!(!allocators.range.contains(Ipv4Addr::new(10, 9, 0, 0)));
    }

    #[test]
    fn node_ports_come_from_the_upper_part_first() {
        let allocators = Allocators::new(&Config::default());
        let (first, last) = allocators.port_range();
        let given: Vec<u16> = std::iter::from_fn(|| allocators.free_port(2_767)).collect();
        assert_eq!(given.len(), usize::from(last - first) + 1);
        let (upper, lower) = given.split_at(given.len() - 86);
        assert!(upper.iter().all(|port| *port >= 30_086) && lower.iter().all(|port| *port < 30_086));
    }
}
