//! Which requests the proxy passes on.

use regex::Regex;

/// Expressions for what is accepted and rejected.
#[derive(Debug)]
pub struct Filter {
    /// Paths that are accepted.
    pub accept_paths: Vec<Regex>,
    /// Paths that are rejected, even if they are accepted.
    pub reject_paths: Vec<Regex>,
    /// Hosts that are accepted.
    pub accept_hosts: Vec<Regex>,
    /// Methods that are rejected.
    pub reject_methods: Vec<Regex>,
}

/// Reads expressions separated by commas; none of the empty text.
///
/// # Errors
/// One is no expression.
pub fn expressions(text: &str) -> Result<Vec<Regex>, regex::Error> {
    if text.is_empty() { Ok(Vec::new()) } else { text.split(',').map(Regex::new).collect() }
}

fn any(expressions: &[Regex], text: &str) -> bool {
    expressions.iter().any(|expression| expression.is_match(text))
}

/// The host of a `Host` header, without its port.
fn host(header: &str) -> &str {
    match header.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.is_empty() => {
            // As Go's SplitHostPort, which takes the brackets of an IPv6 address off, and leaves names with several
            // colons alone.
            match host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
                Some(inner) => inner,
                None if host.contains(':') => header,
                None => host,
            }
        }
        _ => header,
    }
}

impl Filter {
    /// Whether a request is passed on.
    pub fn accepts(&self, method: &str, path: &str, host_header: &str) -> bool {
        !any(&self.reject_paths, path)
            && !any(&self.reject_methods, method)
            && any(&self.accept_paths, path)
            && any(&self.accept_hosts, host(host_header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_filtered_as_by_default() {
        let of = |text: &str| expressions(text).expect("expressions");
        let filter = Filter {
            accept_paths: of("^.*"),
            reject_paths: of("^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach"),
            accept_hosts: of("^localhost$,^127\\.0\\.0\\.1$,^\\[::1\\]$"),
            reject_methods: of("^$"),
        };
        for (path, host, accepted) in [
            ("/api/v1/pods", "127.0.0.1:8001", true),
            ("/api/v1/pods", "localhost", true),
            ("/api/v1/namespaces/d/pods/x/exec", "localhost", false),
            ("/api", "evil.example.com", false),
            ("/api", "[::1]", true),
        ] {
            assert_eq!(filter.accepts("GET", path, host), accepted, "{path} {host}");
        }
        assert!(expressions("(").is_err());
        assert!(expressions("").is_ok_and(|none| none.is_empty()));
    }
}
