//! An authority for gateway certificates, good ones and bad ones.

use crate::story::BadCertificate;
use gatewatch::lab::GatewayTls;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use std::path::PathBuf;
use tempfile::TempDir;

/// Certificates as files, which go with it.
pub(crate) struct Pki {
    dir: TempDir,
    ours: Issuer<'static, KeyPair>,
    strangers: Issuer<'static, KeyPair>,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (ours, pem) = authority("the authority");
        std::fs::write(dir.path().join("ca.pem"), pem).unwrap();
        Self { dir, ours, strangers: authority("a stranger").0 }
    }

    /// What a server's gateway uses: a good certificate, or one that is bad in this way.
    pub(crate) fn gateway(&self, bad: Option<BadCertificate>) -> GatewayTls {
        let (name, host) = match bad {
            None => ("good", "127.0.0.1"),
            Some(BadCertificate::Expired) => ("expired", "127.0.0.1"),
            Some(BadCertificate::Untrusted) => ("untrusted", "127.0.0.1"),
            Some(BadCertificate::WrongName) => ("wrong-name", "elsewhere.example"),
        };
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        if bad == Some(BadCertificate::Expired) {
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        }
        let issuer = if bad == Some(BadCertificate::Untrusted) { &self.strangers } else { &self.ours };
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, issuer).unwrap();
        GatewayTls {
            cert: self.file(&format!("{name}.pem"), &signed.pem()),
            key: self.file(&format!("{name}.key"), &key.serialize_pem()),
            ca: self.dir.path().join("ca.pem"),
        }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn authority(name: &str) -> (Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    (Issuer::new(params, key), pem)
}
