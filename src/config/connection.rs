//! Where and how to connect, validated: servers, credentials, TLS.

use super::secret::SecretSource;
use async_nats::ServerAddr;
use std::path::PathBuf;

/// One connection to NATS: the servers to try and the way to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// `servers`: client URLs, at least one, none with a user or password in it. Default `nats://127.0.0.1:4222`.
    pub servers: Vec<ServerAddr>,
    /// `creds`, `nkey`, `user` with `password` or `password_file`, `token` or `token_file`. Default: none.
    pub credentials: Credentials,
    /// `tls.*`.
    pub tls: TlsSettings,
    /// `inbox_prefix`: first token(s) of reply subjects; the user needs to subscribe to `<prefix>.>`. Default `_INBOX`.
    pub inbox_prefix: String,
}

impl ConnectionSettings {
    /// The same login at other servers, as used for a vantage into a discovered cluster.
    #[must_use]
    pub fn at(&self, servers: Vec<ServerAddr>) -> Self {
        Self { servers, ..self.clone() }
    }
}

/// How to log in. Files are read anew at every connection attempt, so a rotated one is picked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// No login: the server's `no_auth_user`, or a server without accounts.
    None,
    /// A credentials file: user JWT and nkey seed.
    CredsFile(PathBuf),
    /// A file with an nkey seed.
    NkeyFile(PathBuf),
    /// User and password.
    UserPassword {
        /// The user.
        user: String,
        /// The password.
        password: SecretSource,
    },
    /// A token.
    Token(SecretSource),
}

impl Credentials {
    /// The kind in words, without any secret: `credentials file sys.creds`, `user "sys"`, `a token`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::None => "no credentials".to_owned(),
            Self::CredsFile(path) => format!("credentials file {}", path.display()),
            Self::NkeyFile(path) => format!("nkey seed file {}", path.display()),
            Self::UserPassword { user, .. } => format!("user {user:?} and password"),
            Self::Token(_) => "a token".to_owned(),
        }
    }
}

/// TLS of one connection. A server that asks for TLS gets it also when nothing is set here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsSettings {
    /// `tls.ca`: PEM file with the authorities to trust, instead of those of the system. Default: those of the system.
    pub ca: Option<PathBuf>,
    /// `tls.cert` and `tls.key`: PEM files of the client certificate. Default: none.
    pub client: Option<ClientCertificate>,
    /// `tls.first`: TLS handshake before the server's greeting, for servers with `handshake_first`. Default `false`.
    pub first: bool,
    /// `tls.required`: refuse a server that does not offer TLS, also a discovered one. Default `false`; URLs that all
    /// begin with `tls://` have the same effect.
    pub required: bool,
}

/// A client certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM file of the certificate chain.
    pub cert: PathBuf,
    /// PEM file of the private key.
    pub key: PathBuf,
}
