//! An authority, the certificates it signs, and listeners that show them.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use tempfile::TempDir;

/// An authority; its files go with it.
pub(crate) struct Authority {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
    own: CertificateDer<'static>,
}

/// A certificate with its key, or with another.
pub(crate) struct Certificate {
    pem: String,
    der: CertificateDer<'static>,
    key: KeyPair,
}

impl Certificate {
    /// The same certificate in the hands of somebody who does not have its key.
    pub(crate) fn stolen(self) -> Self {
        Self { key: KeyPair::generate().unwrap(), ..self }
    }
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "the authority");
        let (key, dir) = (KeyPair::generate().unwrap(), tempfile::tempdir().unwrap());
        let own = params.self_signed(&key).unwrap();
        std::fs::write(dir.path().join("ca.pem"), own.pem()).unwrap();
        Self { dir, own: own.der().clone(), issuer: Issuer::new(params, key) }
    }

    /// The file of its own certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Signs a certificate for this host, valid from the beginning of 2020 to that of the given year.
    pub(crate) fn sign(&self, host: &str, until: i32) -> Certificate {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "a gateway");
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(until, 1, 1));
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        Certificate { pem: signed.pem(), der: signed.der().clone(), key }
    }

    /// The `tls` block of a gateway with this certificate.
    pub(crate) fn block(&self, certificate: &Certificate) -> String {
        let quoted = |path: &Path| format!("{:?}", path.display().to_string());
        let file = |name: &str, text: &str| {
            let path = self.dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            quoted(&path)
        };
        format!(
            "tls {{ cert_file: {}, key_file: {}, ca_file: {} }}",
            file("gateway.pem", &certificate.pem),
            file("gateway.key", &certificate.key.serialize_pem()),
            quoted(&self.ca())
        )
    }

    /// A listener that shows this certificate and wants one of this authority's in return, as gateways do. What each
    /// handshake came to is sent.
    pub(crate) fn listen(
        &self,
        certificate: Certificate,
        version: &'static SupportedProtocolVersion,
    ) -> (u16, mpsc::Receiver<String>) {
        let config = self.config(certificate, version);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (outcomes, heard) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, config) = (stream.unwrap(), Arc::clone(&config));
                let mut connection = ServerConnection::new(config).unwrap();
                let ended = connection.complete_io(&mut stream).map(|_| "shaken".to_owned());
                if outcomes.send(ended.unwrap_or_else(|error| error.to_string())).is_err() {
                    return;
                }
            }
        });
        (port, heard)
    }

    fn config(
        &self,
        certificate: Certificate,
        version: &'static SupportedProtocolVersion,
    ) -> Arc<ServerConfig> {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.own.clone()).unwrap();
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .unwrap();
        let key = PrivateKeyDer::try_from(certificate.key.serialize_der()).unwrap();
        let key = provider.key_provider.load_private_key(key).unwrap();
        // Unlike a single certificate, this is not checked: a thief does not check either.
        let shown = SingleCertAndKey::from(CertifiedKey::new(vec![certificate.der], key));
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_cert_resolver(Arc::new(shown));
        Arc::new(config)
    }
}
