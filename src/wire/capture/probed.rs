//! A look at a gateway address, as it stands in a line.

use super::error::CaptureError;
use crate::model::probe::{CertificateSeen, GatewayAddress, ProbeFound, ProbeReport, Trust};
use crate::model::time::Mono;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ProbedLine<'a> {
    #[serde(borrow)]
    target: Cow<'a, str>,
    #[serde(borrow)]
    host: Cow<'a, str>,
    port: u16,
    #[serde(default)]
    tls: bool,
    #[serde(borrow)]
    found: Cow<'a, str>,
    /// Whose gateway it is, when it is another's.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateLine<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct CertificateLine<'a> {
    not_before: String,
    not_after: String,
    #[serde(borrow)]
    issuer: Cow<'a, str>,
    #[serde(borrow)]
    subject: Cow<'a, str>,
    names_host: bool,
    #[serde(default)]
    trusted: Option<bool>,
}

impl<'a> From<&'a ProbeReport> for ProbedLine<'a> {
    fn from(report: &'a ProbeReport) -> Self {
        let (found, name, certificate) = match &report.found {
            ProbeFound::Unresolved => ("unresolved", None, None),
            ProbeFound::ResolveFailed => ("resolve_failed", None, None),
            ProbeFound::Unreachable => ("unreachable", None, None),
            ProbeFound::Refused => ("refused", None, None),
            ProbeFound::Silent => ("silent", None, None),
            ProbeFound::OtherGateway { name } => ("other_gateway", Some(name.as_str()), None),
            ProbeFound::Foreign => ("foreign", None, None),
            ProbeFound::TlsFailed => ("tls_failed", None, None),
            ProbeFound::Greeted { tls } => ("greeted", None, tls.as_ref()),
        };
        Self {
            target: report.target.as_str().into(),
            host: report.address.host.as_str().into(),
            port: report.address.port,
            tls: report.address.tls,
            found: found.into(),
            name: name.map(Cow::from),
            certificate: certificate.map(CertificateLine::from),
        }
    }
}

impl<'a> From<&'a CertificateSeen> for CertificateLine<'a> {
    fn from(seen: &'a CertificateSeen) -> Self {
        let text = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        Self {
            not_before: text(seen.not_before),
            not_after: text(seen.not_after),
            issuer: seen.issuer.as_str().into(),
            subject: seen.subject.as_str().into(),
            names_host: seen.names_host,
            trusted: match seen.trusted {
                Trust::Unchecked => None,
                Trust::Trusted => Some(true),
                Trust::Untrusted => Some(false),
            },
        }
    }
}

impl ProbedLine<'_> {
    pub(super) fn report(&self, line: u64, at: Mono) -> Result<ProbeReport, CaptureError> {
        let host = self.host.to_string();
        Ok(ProbeReport {
            target: self.target.as_ref().into(),
            address: GatewayAddress { host, port: self.port, tls: self.tls },
            at,
            found: self.found(line)?,
        })
    }

    fn found(&self, line: u64) -> Result<ProbeFound, CaptureError> {
        Ok(match self.found.as_ref() {
            "unresolved" => ProbeFound::Unresolved,
            "resolve_failed" => ProbeFound::ResolveFailed,
            "unreachable" => ProbeFound::Unreachable,
            "refused" => ProbeFound::Refused,
            "silent" => ProbeFound::Silent,
            "other_gateway" => {
                ProbeFound::OtherGateway { name: self.name.as_deref().unwrap_or_default().into() }
            }
            "foreign" => ProbeFound::Foreign,
            "tls_failed" => ProbeFound::TlsFailed,
            "greeted" => {
                let certificate = self.certificate.as_ref();
                ProbeFound::Greeted { tls: certificate.map(|seen| seen.certificate(line)).transpose()? }
            }
            other => {
                return Err(CaptureError::BadValue {
                    line,
                    field: "probed.found",
                    found: other.chars().take(64).collect(),
                    expected: "what a look at a gateway address can find",
                });
            }
        })
    }
}

impl CertificateLine<'_> {
    fn certificate(&self, line: u64) -> Result<CertificateSeen, CaptureError> {
        Ok(CertificateSeen {
            not_before: time(line, "probed.certificate.not_before", &self.not_before)?,
            not_after: time(line, "probed.certificate.not_after", &self.not_after)?,
            issuer: self.issuer.to_string(),
            subject: self.subject.to_string(),
            names_host: self.names_host,
            trusted: match self.trusted {
                None => Trust::Unchecked,
                Some(true) => Trust::Trusted,
                Some(false) => Trust::Untrusted,
            },
        })
    }
}

fn time(line: u64, field: &'static str, text: &str) -> Result<DateTime<Utc>, CaptureError> {
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| CaptureError::BadValue {
        line,
        field,
        found: text.chars().take(64).collect(),
        expected: "a time like 2026-11-22T15:53:38Z (RFC 3339)",
    })?;
    Ok(time.with_timezone(&Utc))
}
