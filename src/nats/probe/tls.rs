//! A TLS handshake that goes as far as the peer's certificate and trusts nobody.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the handshake may take.
const WITHIN: Duration = Duration::from_secs(3);
/// Most bytes a peer may send up to its certificate.
const MAX_HEARD: usize = 64 << 10;
/// First bytes of a TLS record: change of cipher, alert, handshake, data.
const RECORDS: std::ops::RangeInclusive<u8> = 20..=23;

/// The certificates a peer showed, its own first.
pub(super) type Chain = Vec<CertificateDer<'static>>;

/// How a handshake went.
#[derive(Debug)]
pub(super) enum Shaken {
    /// The peer showed these certificates, and that it holds the key of the first.
    Shown(Chain),
    /// The peer said this instead, which is not TLS.
    NoTls(Vec<u8>),
    /// The peer said nothing.
    Silent,
    /// The handshake failed before that.
    Failed,
}

/// Shakes hands until the peer has shown its certificate.
pub(super) async fn shake(stream: &mut TcpStream, host: &str) -> Shaken {
    let Some(mut talk) = Talk::new(stream, host) else { return Shaken::Failed };
    let shaken = timeout(WITHIN, talk.run(stream)).await;
    shaken.unwrap_or_else(|_| talk.broken())
}

struct Talk {
    connection: ClientConnection,
    witness: Arc<Witness>,
    heard: usize,
}

impl Talk {
    /// `None` when rustls cannot be set up, which its own parts do not bring about.
    fn new(stream: &TcpStream, host: &str) -> Option<Self> {
        let provider = Arc::new(ring::default_provider());
        let witness = Arc::new(Witness::new(provider.signature_verification_algorithms));
        let verifier: Arc<dyn ServerCertVerifier> = Arc::<Witness>::clone(&witness);
        // With a provider of its own: the process may have none yet.
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .ok()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        let name = ServerName::try_from(host.to_owned()).ok().or_else(|| peer(stream))?;
        let connection = ClientConnection::new(Arc::new(config), name).ok()?;
        Some(Self { connection, witness, heard: 0 })
    }

    async fn run(&mut self, stream: &mut TcpStream) -> Shaken {
        let mut chunk = vec![0; 4096];
        loop {
            // Also once the certificate was shown: that we have none is what the server then logs, which is the truth.
            if self.send(stream).await.is_err() || self.witness.is_satisfied() {
                return self.broken();
            }
            let Ok(count @ 1..) = stream.read(&mut chunk).await else { return self.broken() };
            if self.heard == 0 && !RECORDS.contains(&chunk[0]) {
                return Shaken::NoTls(chunk[..count].to_vec());
            }
            self.heard += count;
            if self.heard > MAX_HEARD || self.take_in(&chunk[..count]).is_err() {
                return self.broken();
            }
        }
    }

    async fn send(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        let mut out = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut out)?;
        }
        stream.write_all(&out).await
    }

    fn take_in(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.connection.read_tls(&mut bytes)?;
            self.connection.process_new_packets().map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// What was seen, now that the handshake is over.
    fn broken(&self) -> Shaken {
        match self.witness.proven() {
            Some(chain) => Shaken::Shown(chain),
            None if self.heard == 0 => Shaken::Silent,
            None => Shaken::Failed,
        }
    }
}

/// The peer's address, for a host that cannot be a TLS name.
fn peer(stream: &TcpStream) -> Option<ServerName<'static>> {
    Some(ServerName::IpAddress(stream.peer_addr().ok()?.ip().into()))
}

/// Accepts every certificate and remembers it. Only that the peer holds its key is really checked.
#[derive(Debug)]
struct Witness {
    algorithms: WebPkiSupportedAlgorithms,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    chain: Chain,
    key_held: bool,
}

impl Witness {
    fn new(algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { algorithms, seen: Mutex::default() }
    }

    fn is_satisfied(&self) -> bool {
        self.with(|seen| seen.key_held)
    }

    fn proven(&self) -> Option<Chain> {
        self.with(|seen| seen.key_held.then(|| seen.chain.clone()))
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut Seen) -> T) -> T {
        use_it(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(own).chain(others).map(|shown| shown.clone().into_owned()).collect();
        self.with(|seen| *seen = Seen { chain, key_held: false });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let valid = verify_tls12_signature(message, own, signed, &self.algorithms)?;
        self.with(|seen| seen.key_held = true);
        Ok(valid)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let valid = verify_tls13_signature(message, own, signed, &self.algorithms)?;
        self.with(|seen| seen.key_held = true);
        Ok(valid)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
