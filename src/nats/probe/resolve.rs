//! From a host name to addresses, and what it means when there are none.

use crate::model::probe::{GatewayAddress, ProbeFound};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long a name may take.
const WITHIN: Duration = Duration::from_secs(2);
/// Look-ups at once, with those that were given up but that the operating system still works on.
const AT_ONCE: usize = 8;
/// Addresses of one name that are looked at.
const MAX_FOUND: usize = 8;
/// How operating systems say that there is no address of this name. The error has no kind of its own for it.
const NO_SUCH_NAME: [&str; 5] = [
    "name or service not known",
    "no address associated with hostname",
    "name does not resolve",
    "nodename nor servname provided, or not known",
    "name has no usable address",
];

/// Resolves names through the operating system.
#[derive(Debug)]
pub(super) struct Resolver {
    places: Arc<Semaphore>,
}

impl Resolver {
    pub(super) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The addresses, at least one; or why there are none.
    pub(super) async fn resolve(&self, address: &GatewayAddress) -> Result<Vec<SocketAddr>, ProbeFound> {
        if let Ok(ip) = address.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, address.port)]);
        }
        let looked_up = timeout(WITHIN, self.look_up(address.host.clone(), address.port)).await;
        looked_up.unwrap_or(Err(ProbeFound::ResolveFailed))
    }

    async fn look_up(&self, host: String, port: u16) -> Result<Vec<SocketAddr>, ProbeFound> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        // A look-up cannot be interrupted: its place is taken until it ends, not until nobody waits for it any more.
        let found = tokio::task::spawn_blocking(move || {
            let _place = place;
            (host.as_str(), port).to_socket_addrs().map(|found| found.take(MAX_FOUND).collect::<Vec<_>>())
        });
        match found.await {
            Ok(Ok(found)) if found.is_empty() => Err(ProbeFound::Unresolved),
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => Err(meaning(&error)),
            Err(_) => Err(ProbeFound::ResolveFailed),
        }
    }
}

fn meaning(error: &io::Error) -> ProbeFound {
    let text = error.to_string().to_lowercase();
    if NO_SUCH_NAME.iter().any(|known| text.contains(known)) {
        ProbeFound::Unresolved
    } else {
        ProbeFound::ResolveFailed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_there_is_no_such_name_says_so() {
        let meaning =
            |text: &str| meaning(&io::Error::other(format!("failed to lookup address information: {text}")));
        assert_eq!(meaning("Name or service not known"), ProbeFound::Unresolved);
        assert_eq!(meaning("No address associated with hostname"), ProbeFound::Unresolved);
        assert_eq!(meaning("nodename nor servname provided, or not known"), ProbeFound::Unresolved);
        assert_eq!(meaning("Temporary failure in name resolution"), ProbeFound::ResolveFailed);
        assert_eq!(meaning("Non-recoverable failure in name resolution"), ProbeFound::ResolveFailed);
    }

    #[tokio::test]
    async fn addresses_are_not_looked_up() {
        let nobody = Resolver { places: Arc::new(Semaphore::new(0)) };
        let address = GatewayAddress { host: "::1".to_owned(), port: 7222, tls: false };
        assert_eq!(
            nobody.resolve(&address).await,
            Ok(vec![SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 7222))])
        );
    }

    #[tokio::test]
    async fn look_ups_that_hang_do_not_pile_up() {
        let busy = Resolver { places: Arc::new(Semaphore::new(0)) };
        let address = GatewayAddress { host: "localhost".to_owned(), port: 7222, tls: false };
        assert_eq!(busy.resolve(&address).await, Err(ProbeFound::ResolveFailed));
    }
}
