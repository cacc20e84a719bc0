//! A prober with the peers it meets.

use gatewatch::clock::Clock;
use gatewatch::config::settings::ProbeSettings;
use gatewatch::metrics::Metrics;
use gatewatch::model::probe::{CertificateSeen, GatewayAddress, ProbeFound, ProbeReport, ProbeRequest};
use gatewatch::nats::probe::Prober;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// More than one look may take: the sum of the limits of its stages, and some for a busy machine.
pub(crate) const LOOK_WITHIN: Duration = Duration::from_secs(15);

pub(crate) const INFO: &str = "INFO {\"server_id\":\"NA\",\"gateway\":\"east\",\"gateway_nrp\":true} \r\n";

/// A prober and what it reports.
pub(crate) struct Looking {
    pub(crate) prober: Prober,
    pub(crate) reports: mpsc::Receiver<ProbeReport>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Looking {
    pub(crate) fn start(ca: Option<PathBuf>) -> Self {
        let settings = ProbeSettings { enabled: true, ca, every: Duration::from_secs(3600) };
        let (metrics, (sender, reports)) = (Arc::default(), mpsc::channel(1));
        Self { prober: Prober::start(&settings, Clock::start(), &metrics, sender), reports, metrics }
    }

    pub(crate) async fn next(&mut self) -> ProbeReport {
        timeout(LOOK_WITHIN, self.reports.recv()).await.expect("a report in time").expect("a prober")
    }

    /// Looks at one address where a gateway of `east` should be.
    pub(crate) async fn look(&mut self, address: GatewayAddress) -> ProbeFound {
        self.prober.try_send(asked(vec![address.clone()])).unwrap();
        let report = self.next().await;
        assert_eq!((report.target.as_str(), &report.address), ("east", &address));
        report.found
    }

    /// How often something was counted; with kinds, those of this one.
    pub(crate) fn counted(&self, name: &str, kind: Option<&str>) -> u64 {
        let all = self.metrics.all();
        let metric = all.iter().find(|metric| metric.name == name).expect("a metric of this name");
        let wanted = metric.samples.iter().filter(|sample| sample.label.map(|(_, kind)| kind) == kind);
        wanted.map(|sample| sample.value).sum()
    }
}

pub(crate) fn asked(addresses: Vec<GatewayAddress>) -> ProbeRequest {
    ProbeRequest { target: "east".into(), addresses }
}

/// An address on this machine.
pub(crate) fn here(port: u16, tls: bool) -> GatewayAddress {
    GatewayAddress { host: "127.0.0.1".to_owned(), port, tls }
}

/// Looks at `port` with a prober of its own.
pub(crate) async fn found(port: u16, tls: bool) -> ProbeFound {
    Looking::start(None).look(here(port, tls)).await
}

/// The certificate that was seen.
pub(crate) fn certificate(found: ProbeFound) -> CertificateSeen {
    let ProbeFound::Greeted { tls: Some(seen) } = found else { panic!("no certificate: {found:?}") };
    seen
}

/// A listener that treats each of its callers so.
pub(crate) async fn peer<F>(treat: impl Fn(TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(treat(stream));
        }
    });
    port
}

/// Does not close the connection before the caller does.
pub(crate) async fn hold(mut stream: TcpStream) {
    // Reading to the end is waiting for the end.
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}
