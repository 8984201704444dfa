//! Local ports.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};

use super::ports::Port;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result, go_io_error};

/// An address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    ip: IpAddr,
    /// Whether it may be missing as long as another one of `localhost` is there.
    optional: bool,
}

/// The addresses that words name, in order; `localhost` is two of them.
///
/// # Errors
/// A word is neither an IP address nor `localhost`.
pub fn addresses(words: &[String]) -> Result<Vec<Address>> {
    let mut all: Vec<Address> = Vec::new();
    if words.is_empty() {
        return Err(Error::new("you must specify at least 1 address"));
    }
    for word in words {
        let more = if word == "localhost" {
            let local = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            local.map(|ip| Address { ip, optional: true }).to_vec()
        } else {
            let ip = word.parse().map_err(|_| Error::new(format!("{word} is not a valid IP")))?;
            vec![Address { ip, optional: false }]
        };
        for address in more {
            match all.iter_mut().find(|known| known.ip == address.ip) {
                // An address that is named by itself must be had.
                Some(known) => known.optional &= address.optional,
                None => all.push(address),
            }
        }
    }
    all.sort_by_key(|address| address.ip.to_string());
    Ok(all)
}

/// A port that is listened on.
pub struct Listening {
    listener: TcpListener,
    /// The port with its real number here.
    pub port: Port,
}

impl Listening {
    /// The next connection.
    pub async fn accept(self) -> (Self, std::io::Result<TcpStream>) {
        let accepted = self.listener.accept().await.map(|(stream, _)| stream);
        if accepted.is_err() {
            // Out of file descriptors, or a client that went away: wait a little and go on.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        (self, accepted)
    }
}

/// Listens on a port at all addresses. The inner failure is the port and why it cannot be had.
///
/// # Errors
/// Standard output is closed.
pub async fn on(
    cx: &Context,
    wanted: &[Address],
    port: Port,
) -> Result<std::result::Result<Vec<Listening>, (u16, String)>> {
    let (mut listening, mut port) = (Vec::new(), port);
    let (mut failures, mut optional, mut required) = (Vec::new(), (0, 0), 0);
    for address in wanted {
        let bound = TcpListener::bind(SocketAddr::new(address.ip, port.local)).await;
        let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
        match bound {
            Ok((local, listener)) => {
                port.local = local.port();
                cx.line(format!("Forwarding from {local} -> {}", port.remote))?;
                optional.0 += usize::from(address.optional);
                listening.push(Listening { listener, port });
            }
            Err(error) => {
                let kind = if address.ip.is_ipv4() { "tcp4" } else { "tcp6" };
                let at = SocketAddr::new(address.ip, port.local);
                let why = bind_error(&error);
                failures.push(format!("unable to create listener: Error listen {kind} {at}: {why}"));
                if address.optional {
                    optional.1 += 1;
                } else {
                    required += 1;
                }
            }
        }
    }
    if required > 0 || optional.0 == 0 && optional.1 > 0 {
        let all = failures.join(" ");
        return Ok(Err((port.local, format!("Listeners failed to create with the following errors: [{all}]"))));
    }
    Ok(Ok(listening))
}

/// Why an address cannot be listened on, in Go's words.
fn bind_error(error: &std::io::Error) -> String {
    format!("bind: {}", go_io_error(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_sorted_and_come_once() {
        let words = ["localhost", "10.1.2.3", "127.0.0.1", "localhost"].map(str::to_owned);
        let shown: Vec<String> = addresses(&words).expect("addresses").iter().map(|one| one.ip.to_string()).collect();
        assert_eq!(shown, ["10.1.2.3", "127.0.0.1", "::1"]);
        let refused = addresses(&["web".to_owned()]).map(|_| ()).map_err(|error| error.text());
        assert_eq!(refused, Err("web is not a valid IP".into()));
    }
}
