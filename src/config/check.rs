//! What the types of the keys can't say: values that are impossible alone or together.

use super::layers::Layers;
use super::{Config, ConfigError};
use crate::telemetry;
use std::net::IpAddr;

/// More threads than any machine has cores.
pub const MAX_WORKERS: u16 = 1024;
/// Sections of an SDP that one participant may send in.
const MAX_TRACKS: u32 = 32;
/// Below 256 bits the secret, not SHA-256, would be the weak part of a token's signature (RFC 7518 section 3.2).
const MIN_SECRET: usize = 32;

/// Refuses impossible values.
///
/// # Errors
/// The first one.
pub fn values(config: &Config, layers: &Layers) -> Result<(), ConfigError> {
    if config.workers > MAX_WORKERS {
        return Err(
            layers.wrong("workers", format!("{} workers are more than the {MAX_WORKERS} possible", config.workers))
        );
    }
    let last = u32::from(config.udp_base_port) + u32::from(config.worker_count()) - 1;
    if config.udp_base_port != 0 && last > u32::from(u16::MAX) {
        let message =
            format!("{} workers would need the ports up to {last}, but 65535 is the last", config.worker_count());
        return Err(layers.wrong("udp_base_port", message));
    }
    for (key, value) in [("join_burst", config.join_burst), ("request_rate", config.request_rate)] {
        if value == 0 {
            return Err(layers.wrong(key, "0 would let nobody do anything"));
        }
    }
    if !(1..=MAX_TRACKS).contains(&config.max_tracks) {
        return Err(layers.wrong("max_tracks", format!("{} is not from 1 to {MAX_TRACKS}", config.max_tracks)));
    }
    for (key, ip) in [("bind", config.bind), ("udp_bind", config.udp_bind)] {
        if ip.is_multicast() {
            return Err(layers.wrong(key, format!("{ip} is a multicast address")));
        }
    }
    for ip in &config.node_ip {
        if let Some(message) = unreachable(*ip, config.udp_bind) {
            return Err(layers.wrong("node_ip", message));
        }
    }
    for (name, secret) in config.keys.iter() {
        if name.trim().is_empty() || name.contains([':', ',']) {
            return Err(layers.wrong(
                "keys",
                format!("`{name}` can't be the name of an API key: it is empty or has a colon or comma"),
            ));
        }
        let length = secret.expose().chars().count();
        if length == 0 || (length < MIN_SECRET && !config.dev) {
            let message =
                format!("the secret of API key `{name}` has {length} characters; at least {MIN_SECRET} are needed");
            return Err(layers.wrong("keys", message));
        }
    }
    telemetry::filter(&config.log).map_err(|error| layers.wrong("log", error.to_string()))?;
    Ok(())
}

/// Refuses to serve with something missing that has no default.
///
/// # Errors
/// What is missing.
pub fn complete(config: &Config) -> Result<(), ConfigError> {
    if config.keys.is_empty() { Err(ConfigError::NoKeys) } else { Ok(()) }
}

/// Why media sent to an announced address can't arrive on the bound one, if so.
fn unreachable(ip: IpAddr, bound: IpAddr) -> Option<String> {
    if ip.is_unspecified() || ip.is_multicast() {
        return Some(format!("{ip} is not the address of one machine"));
    }
    if ip.is_ipv4() != bound.is_ipv4() {
        return Some(format!("{ip} and `udp_bind` {bound} must both be IPv4 or both IPv6"));
    }
    if bound.is_loopback() && !ip.is_loopback() {
        return Some(format!("media sent to {ip} can't arrive while `udp_bind` is {bound}; set that as well"));
    }
    None
}
