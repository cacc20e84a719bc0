//! One look at one address, stage by stage: resolve, connect, greeting or certificate.
//!
//! A gateway without TLS greets at once and says its name. One with TLS says nothing before the handshake, and nothing after it
//! to a peer without a certificate of its own (`server/gateway.go`, `createGateway`): there the certificate is all there is to see.

use super::certificate::{self, Authorities};
use super::resolve::Resolver;
use super::tls::{self, Shaken};
use crate::clock::Clock;
use crate::model::ids::ClusterName;
use crate::model::probe::{CertificateSeen, GatewayAddress, ProbeFound};
use crate::wire::sys::greeting;
use futures::stream::{FuturesUnordered, StreamExt};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a connect may take, to whichever of a name's addresses answers first.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// How long the greeting may take.
const GREET_WITHIN: Duration = Duration::from_secs(2);

/// Looks at addresses.
#[derive(Debug)]
pub(super) struct Looker {
    clock: Clock,
    resolver: Resolver,
    ca: Option<PathBuf>,
}

impl Looker {
    pub(super) fn new(clock: Clock, ca: Option<PathBuf>) -> Self {
        Self { clock, resolver: Resolver::new(), ca }
    }

    /// Looks, for about ten seconds at most.
    pub(super) async fn look(&self, target: &ClusterName, address: &GatewayAddress) -> ProbeFound {
        self.stages(target, address).await.unwrap_or_else(|ended_early| ended_early)
    }

    async fn stages(&self, target: &ClusterName, address: &GatewayAddress) -> Result<ProbeFound, ProbeFound> {
        let found = self.resolver.resolve(address).await?;
        let mut stream = connect(found).await?;
        let mut received = Vec::new();
        if address.tls {
            match tls::shake(&mut stream, &address.host).await {
                Shaken::Shown(chain) => {
                    let seen = self.certificate(&chain, &address.host).await;
                    return seen
                        .map(|tls| ProbeFound::Greeted { tls: Some(tls) })
                        .ok_or(ProbeFound::TlsFailed);
                }
                Shaken::NoTls(said) => received = said,
                Shaken::Silent => return Err(ProbeFound::Silent),
                Shaken::Failed => return Err(ProbeFound::TlsFailed),
            }
        }
        let line = timeout(GREET_WITHIN, line(&mut stream, received)).await;
        Ok(judge(target, &line.unwrap_or(Err(ProbeFound::Silent))?))
    }

    async fn certificate(&self, chain: &tls::Chain, host: &str) -> Option<CertificateSeen> {
        let authorities = match &self.ca {
            Some(file) => Authorities::read(file).await,
            None => None,
        };
        certificate::read(chain, host, authorities.as_ref(), self.clock.now().wall)
    }
}

/// Connects to whichever address answers first.
async fn connect(addresses: Vec<SocketAddr>) -> Result<TcpStream, ProbeFound> {
    let mut connects: FuturesUnordered<_> = addresses.into_iter().map(TcpStream::connect).collect();
    let first = async {
        let mut all_refuse = true;
        while let Some(connected) = connects.next().await {
            match connected {
                Ok(stream) => return Ok(stream),
                Err(error) => all_refuse &= error.kind() == io::ErrorKind::ConnectionRefused,
            }
        }
        Err(if all_refuse { ProbeFound::Refused } else { ProbeFound::Unreachable })
    };
    timeout(CONNECT_WITHIN, first).await.unwrap_or(Err(ProbeFound::Unreachable))
}

/// Reads up to the end of the first line, unless it cannot be a greeting.
async fn line(stream: &mut TcpStream, mut received: Vec<u8>) -> Result<Vec<u8>, ProbeFound> {
    let mut searched = 0;
    loop {
        if let Some(length) = received[searched..].iter().position(|byte| *byte == b'\n') {
            received.truncate(searched + length);
            return Ok(received);
        }
        if !greeting::may_greet(&received) {
            return Err(ProbeFound::Foreign);
        }
        searched = received.len();
        if !matches!(stream.read_buf(&mut received).await, Ok(1..)) {
            return Err(ProbeFound::Silent);
        }
    }
}

fn judge(target: &ClusterName, line: &[u8]) -> ProbeFound {
    match greeting::gateway(line) {
        Some(name) if name == *target => ProbeFound::Greeted { tls: None },
        Some(name) => ProbeFound::OtherGateway { name },
        None => ProbeFound::Foreign,
    }
}
