//! An authority and the certificates it signs, as files.

#![allow(dead_code, reason = "each user has its own part of it")]

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// An authority; its files go with it.
pub(crate) struct Authority {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key.
pub(crate) struct Certificate {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "the authority");
        let (key, dir) = (KeyPair::generate().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(dir.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { dir, issuer: Issuer::new(params, key) }
    }

    /// The file of its own certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Signs a certificate, for servers and for clients, that is valid for these host names and addresses.
    pub(crate) fn sign(&self, name: &str, valid_for: &[&str]) -> Certificate {
        self.sign_until(name, valid_for, 4096)
    }

    /// Signs one that ended with the year 2020.
    pub(crate) fn sign_expired(&self, name: &str, valid_for: &[&str]) -> Certificate {
        self.sign_until(name, valid_for, 2021)
    }

    fn sign_until(&self, name: &str, valid_for: &[&str], year: i32) -> Certificate {
        let valid_for: Vec<String> = valid_for.iter().map(|&host| host.to_owned()).collect();
        let mut params = CertificateParams::new(valid_for).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        let file = |ending: &str, text: String| {
            let path = self.dir.path().join(format!("{name}.{ending}"));
            std::fs::write(&path, text).unwrap();
            path
        };
        Certificate { cert: file("pem", signed.pem()), key: file("key", key.serialize_pem()) }
    }

    /// The `tls` block of a server with this certificate, which asks the other side for one of ours.
    pub(crate) fn block(&self, certificate: &Certificate) -> String {
        let quoted = |path: &Path| format!("{:?}", path.display().to_string());
        format!(
            "tls {{ cert_file: {}, key_file: {}, ca_file: {}, verify: true }}\n",
            quoted(&certificate.cert),
            quoted(&certificate.key),
            quoted(&self.ca())
        )
    }
}
