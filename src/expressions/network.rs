//! URLs, addresses and networks as expressions see them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::object::go;

/// A URL in its parts, as Go splits it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Url {
    /// Scheme, in lower case.
    pub scheme: String,
    /// Host with port.
    pub host: String,
    /// Path as it is sent.
    pub path: String,
    /// Query, still encoded.
    pub query: String,
}

/// What a path may not hold unencoded.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'%')
    .add(b'^')
    .add(b'|')
    .add(b'\\');

impl Url {
    /// Reads an absolute URL or an absolute path.
    ///
    /// # Errors
    ///
    /// What is wrong, in Go's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("parse {}: {why}", go::quote(text));
        if text.is_empty() {
            return Err(wrong("empty url"));
        }
        if text.bytes().any(|b| b < b' ' || b == 0x7f) {
            return Err(wrong("net/url: invalid control character in URL"));
        }
        let (scheme, rest) = split_scheme(text).map_err(wrong)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        if !rest.starts_with('/') {
            // What is opaque has a scheme and nothing else that could be split.
            return match scheme.is_empty() {
                true => Err(wrong("invalid URI for request")),
                false => Ok(Self { scheme, query: query.into(), ..Self::default() }),
            };
        }
        let (host, path) = match rest.strip_prefix("//") {
            Some(after) if !scheme.is_empty() || !rest.starts_with("///") => {
                let at = after.find('/').unwrap_or(after.len());
                after.split_at(at)
            }
            _ => ("", rest),
        };
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        check_host(host).map_err(|why| wrong(&why))?;
        let decoded = unescape(path).map_err(|part| wrong(&format!("invalid URL escape {}", go::quote(&part))))?;
        let path = if path.contains('%') { path.to_owned() } else { utf8_percent_encode(&decoded, PATH).to_string() };
        Ok(Self { scheme, host: host.into(), path, query: query.into() })
    }

    /// The host without port and brackets.
    pub fn hostname(&self) -> &str {
        let bare = match self.host.rfind(':') {
            Some(at) if is_port(self.host.get(at..).unwrap_or_default()) => self.host.get(..at).unwrap_or_default(),
            _ => self.host.as_str(),
        };
        bare.strip_prefix('[').and_then(|bare| bare.strip_suffix(']')).unwrap_or(bare)
    }

    /// The port; empty when none is named.
    pub fn port(&self) -> &str {
        match self.host.rfind(':') {
            Some(at) if is_port(self.host.get(at..).unwrap_or_default()) => self.host.get(at + 1..).unwrap_or_default(),
            _ => "",
        }
    }

    /// The values of each name in the query; what cannot be decoded is left out.
    pub fn query(&self) -> BTreeMap<String, Vec<String>> {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for part in self.query.split('&').filter(|part| !part.is_empty() && !part.contains(';')) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let plain = |text: &str| unescape(&text.replace('+', " ")).ok();
            if let (Some(name), Some(value)) = (plain(name), plain(value)) {
                all.entry(name).or_default().push(value);
            }
        }
        all
    }
}

fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
}

fn split_scheme(text: &str) -> Result<(String, &str), &'static str> {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err("missing protocol scheme"),
            b':' => {
                let (scheme, rest) = text.split_at(at);
                return Ok((scheme.to_ascii_lowercase(), rest.get(1..).unwrap_or_default()));
            }
            _ => break,
        }
    }
    Ok((String::new(), text))
}

fn check_host(host: &str) -> Result<(), String> {
    let port = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(_, port)| port).ok_or("missing ']' in host")?,
        None => host.rfind(':').and_then(|at| host.get(at..)).unwrap_or_default(),
    };
    if !port.is_empty() && !is_port(port) {
        return Err(format!("invalid port {} after host", go::quote(port)));
    }
    match host.chars().find(|c| matches!(c, ' ' | '<' | '>' | '"' | '\\' | '^' | '`' | '{' | '}' | '|')) {
        Some(c) => Err(format!("invalid character {} in host name", go::quote(&c.to_string()))),
        None => Ok(()),
    }
}

fn unescape(text: &str) -> Result<String, String> {
    for (at, _) in text.match_indices('%') {
        let digits = text.get(at + 1..at + 3).unwrap_or_default();
        if digits.len() != 2 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(text.get(at..).unwrap_or_default().chars().take(3).collect());
        }
    }
    Ok(percent_decode_str(text).decode_utf8_lossy().into_owned())
}

/// Reads an address.
///
/// # Errors
///
/// What is wrong.
pub fn parse_ip(text: &str) -> Result<IpAddr, String> {
    if text.contains(':') && text.contains('%') {
        return Err(format!("IP address {} with zone value is not allowed", go::quote(text)));
    }
    let Ok(ip) = text.parse::<IpAddr>() else {
        let why = format!("ParseAddr({}): {}", go::quote(text), why_no_ip(text));
        return Err(format!("IP Address {} parse error during conversion from string: {why}", go::quote(text)));
    };
    if matches!(ip, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()) {
        return Err(format!("IPv4-mapped IPv6 address {} is not allowed", go::quote(text)));
    }
    Ok(ip)
}

fn why_no_ip(text: &str) -> String {
    let at = |rest: &str| format!(" (at {})", go::quote(rest));
    match text.find(['.', ':', '%']).and_then(|at| text.as_bytes().get(at)) {
        None => "unable to parse IP".into(),
        Some(b'.') => {
            let fields: Vec<&str> = text.split('.').collect();
            if let Some((at_char, _)) = text.char_indices().find(|(_, c)| !c.is_ascii_digit() && *c != '.') {
                return format!("unexpected character{}", at(text.get(at_char..).unwrap_or_default()));
            }
            if fields.iter().any(|field| field.len() > 1 && field.starts_with('0')) {
                return "IPv4 field has octet with leading zero".into();
            }
            if fields.iter().any(|field| field.parse::<u32>().is_ok_and(|number| number > 255)) {
                return "IPv4 field has value >255".into();
            }
            if fields.iter().any(|field| field.is_empty()) {
                let position = text.find("..").map_or(text.len(), |at| at + 1);
                return format!(
                    "IPv4 field must have at least one digit{}",
                    at(text.get(position..).unwrap_or_default())
                );
            }
            if fields.len() < 4 { "IPv4 address too short".into() } else { "IPv4 address too long".into() }
        }
        Some(b'%') => "missing IPv6 address".into(),
        _ => match text.char_indices().find(|(_, c)| !c.is_ascii_hexdigit() && !matches!(c, ':' | '.')) {
            Some((position, _)) => {
                format!("unexpected character, want colon{}", at(text.get(position..).unwrap_or_default()))
            }
            None => "address string too short".into(),
        },
    }
}

/// Reads a network.
///
/// # Errors
///
/// What is wrong.
pub fn parse_cidr(text: &str) -> Result<(IpAddr, u8), String> {
    let wrong = |why: &str| {
        format!(
            "network address parse error during conversion from string: netip.ParsePrefix({}): {why}",
            go::quote(text)
        )
    };
    let (address, bits) = text.rsplit_once('/').ok_or_else(|| wrong("no '/'"))?;
    let ip: IpAddr =
        address.parse().map_err(|_| wrong(&format!("ParseAddr({}): {}", go::quote(address), why_no_ip(address))))?;
    if bits.len() > 1 && !bits.starts_with(|c: char| ('1'..='9').contains(&c)) {
        return Err(wrong(&format!("bad bits after slash: {}", go::quote(bits))));
    }
    let length: u32 = bits.parse().map_err(|_| wrong(&format!("bad bits after slash: {}", go::quote(bits))))?;
    let most = if ip.is_ipv4() { 32 } else { 128 };
    let length = u8::try_from(length).ok().filter(|length| *length <= most);
    let length = length.ok_or_else(|| wrong("prefix length out of range"))?;
    if matches!(ip, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()) {
        return Err(format!("IPv4-mapped IPv6 address {} is not allowed", go::quote(text)));
    }
    Ok((ip, length))
}

/// The address with all bits after the prefix cleared.
pub fn masked(ip: IpAddr, bits: u8) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or_default();
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or_default();
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

/// Whether an address lies in a network.
pub fn contains(network: (IpAddr, u8), ip: IpAddr) -> bool {
    network.0.is_ipv4() == ip.is_ipv4() && masked(network.0, network.1) == masked(ip, network.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_split_as_go_does() {
        let url = Url::parse("https://user@[::1]:80/a/%2f?k=v+w&k=2&x").expect("a url");
        assert_eq!((url.scheme.as_str(), url.hostname(), url.port()), ("https", "::1", "80"));
        assert_eq!(url.path, "/a/%2f");
        assert_eq!(url.query()["k"], ["v w", "2"]);
        assert_eq!(Url::parse("../rel").unwrap_err(), "parse \"../rel\": invalid URI for request");
        assert_eq!(Url::parse(":x").unwrap_err(), "parse \":x\": missing protocol scheme");
        assert_eq!(Url::parse("http://a:b/").unwrap_err(), "parse \"http://a:b/\": invalid port \":b\" after host");
    }

    #[test]
    fn networks_hold_addresses() {
        let network = parse_cidr("10.0.0.1/8").expect("a network");
        assert!(contains(network, parse_ip("10.9.9.9").expect("an address")));
        assert!(!contains(network, parse_ip("::1").expect("an address")));
        assert_eq!(masked(network.0, network.1).to_string(), "10.0.0.0");
        assert_eq!(
            parse_cidr("10.0.0.0/33").unwrap_err(),
            "network address parse error during conversion from string: netip.ParsePrefix(\"10.0.0.0/33\"): prefix length out of range"
        );
        assert_eq!(
            parse_ip("1.2.3").unwrap_err(),
            "IP Address \"1.2.3\" parse error during conversion from string: ParseAddr(\"1.2.3\"): IPv4 address too short"
        );
    }
}
