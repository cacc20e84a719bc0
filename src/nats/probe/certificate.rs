//! What a certificate says, and whether its chain leads to the configured authorities.

use super::tls::Chain;
use crate::model::probe::{CertificateSeen, Trust};
use chrono::{DateTime, Utc};
use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use std::path::Path;
use std::time::Duration;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

/// Longest issuer or subject that is kept, in characters.
const MAX_SHOWN: usize = 256;

/// The authorities that gateway certificates must lead to.
#[derive(Debug)]
pub(super) struct Authorities {
    roots: RootCertStore,
    listed: Vec<CertificateDer<'static>>,
}

impl Authorities {
    /// Reads a PEM file; `None`, logged, when it holds no authority.
    pub(super) async fn read(file: &Path) -> Option<Self> {
        let text = tokio::fs::read(file).await.inspect_err(|error| {
            tracing::warn!(file = %file.display(), %error, "cannot read probe.ca: trust is not judged");
        });
        let listed: Vec<_> = CertificateDer::pem_slice_iter(&text.ok()?).filter_map(Result::ok).collect();
        let mut roots = RootCertStore::empty();
        let (usable, _) = roots.add_parsable_certificates(listed.iter().cloned());
        if usable == 0 {
            tracing::warn!(file = %file.display(), "probe.ca holds no authority: trust is not judged");
            return None;
        }
        Some(Self { roots, listed })
    }

    /// At a time within the certificate's own dates: those are told apart from trust.
    fn judge(&self, own: &ParsedCertificate<'_>, chain: &Chain, at: DateTime<Utc>) -> Trust {
        // A certificate that is its own authority is no chain, but just as trusted.
        if chain.first().is_some_and(|own| self.listed.contains(own)) {
            return Trust::Trusted;
        }
        let seconds = u64::try_from(at.timestamp()).unwrap_or_default();
        let checked = verify_server_cert_signed_by_trust_anchor(
            own,
            &self.roots,
            chain.get(1..).unwrap_or_default(),
            UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            ring::default_provider().signature_verification_algorithms.all,
        );
        if checked.is_ok() { Trust::Trusted } else { Trust::Untrusted }
    }
}

/// Reads the first certificate of a chain; `None` when it is none.
pub(super) fn read(
    chain: &Chain,
    host: &str,
    authorities: Option<&Authorities>,
    now: DateTime<Utc>,
) -> Option<CertificateSeen> {
    let (_, certificate) = X509Certificate::from_der(chain.first()?).ok()?;
    let own = ParsedCertificate::try_from(chain.first()?).ok()?;
    let not_before = moment(certificate.validity().not_before)?;
    let not_after = moment(certificate.validity().not_after)?;
    let name = ServerName::try_from(host);
    let within_dates = now.max(not_before).min(not_after);
    Some(CertificateSeen {
        not_before,
        not_after,
        issuer: shown(certificate.issuer()),
        subject: shown(certificate.subject()),
        names_host: name.is_ok_and(|name| verify_server_name(&own, &name).is_ok()),
        trusted: authorities.map_or(Trust::Unchecked, |known| known.judge(&own, chain, within_dates)),
    })
}

fn moment(time: ASN1Time) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.timestamp(), 0)
}

/// A name as it may be shown: a stranger chose it.
fn shown(name: &X509Name<'_>) -> String {
    let text = name.to_string();
    text.chars()
        .take(MAX_SHOWN)
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}
