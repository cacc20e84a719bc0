//! From credentials to what a server wants to see in CONNECT.
//!
//! Files are read at every call, so that a rotated file is used at the next attempt. Refuses to keep what it read.

use crate::config::connection::Credentials;
use crate::config::secret::SecretSource;
use async_nats::Auth;
use nkeys::KeyPair;
use std::io;
use std::path::{Path, PathBuf};

/// Why credentials cannot be used. No variant holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read now, though it could be when the settings were checked.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file holds nothing.
    #[error("{} is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A credentials file without a user JWT.
    #[error("{} holds no user JWT between BEGIN and END lines; is it a credentials file?", path.display())]
    NoJwt {
        /// The file.
        path: PathBuf,
    },
    /// No nkey seed was found.
    #[error("{} holds no nkey seed of a user (a line that starts with SU)", path.display())]
    NoSeed {
        /// The file.
        path: PathBuf,
    },
    /// The seed is damaged.
    #[error("the nkey seed in {} cannot be used: {source}", path.display())]
    BadSeed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: nkeys::error::Error,
    },
}

/// What to log in with at a server that sent `nonce`.
///
/// # Errors
/// When a file cannot be read or does not hold what it should.
pub async fn auth(credentials: &Credentials, nonce: &[u8]) -> Result<Auth, CredentialsError> {
    let mut auth = Auth::new();
    match credentials {
        Credentials::None => {}
        Credentials::CredsFile(path) => {
            let text = read(path).await?;
            let jwt = block(&text, "JWT").ok_or_else(|| CredentialsError::NoJwt { path: path.clone() })?;
            auth.jwt = Some(jwt.to_owned());
            auth.signature = Some(sign(&key_pair(&text, path)?, nonce, path)?);
        }
        Credentials::NkeyFile(path) => {
            let key = key_pair(&read(path).await?, path)?;
            auth.signature = Some(sign(&key, nonce, path)?);
            auth.nkey = Some(key.public_key());
        }
        Credentials::UserPassword { user, password } => {
            auth.username = Some(user.clone());
            auth.password = Some(secret(password).await?);
        }
        Credentials::Token(token) => auth.token = Some(secret(token).await?),
    }
    Ok(auth)
}

async fn secret(source: &SecretSource) -> Result<String, CredentialsError> {
    match source {
        SecretSource::Inline(secret) => Ok(secret.expose().to_owned()),
        SecretSource::File(path) => Ok(read(path).await?.trim_end_matches(['\r', '\n']).to_owned()),
    }
}

async fn read(path: &Path) -> Result<String, CredentialsError> {
    match tokio::fs::read_to_string(path).await {
        Ok(text) if text.trim().is_empty() => Err(CredentialsError::Empty { path: path.to_owned() }),
        Ok(text) => Ok(text),
        Err(source) => Err(CredentialsError::Unreadable { path: path.to_owned(), source }),
    }
}

fn key_pair(text: &str, path: &Path) -> Result<KeyPair, CredentialsError> {
    let bare = || text.lines().map(str::trim).find(|line| line.starts_with("SU"));
    let seed = block(text, "SEED")
        .or_else(bare)
        .ok_or_else(|| CredentialsError::NoSeed { path: path.to_owned() })?;
    KeyPair::from_seed(seed).map_err(|source| CredentialsError::BadSeed { path: path.to_owned(), source })
}

fn sign(key: &KeyPair, nonce: &[u8], path: &Path) -> Result<Vec<u8>, CredentialsError> {
    key.sign(nonce).map_err(|source| CredentialsError::BadSeed { path: path.to_owned(), source })
}

/// The line below `-----BEGIN .. <label>-----`.
fn block<'t>(text: &'t str, label: &str) -> Option<&'t str> {
    let is_begin = |line: &&str| line.starts_with("---") && line.contains("BEGIN") && line.contains(label);
    let mut lines = text.lines().map(str::trim).skip_while(|line| !is_begin(line)).skip(1);
    lines.find(|line| !line.is_empty()).filter(|line| !line.starts_with("---"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::Secret;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn creds_text(jwt: &str, seed: &str, end: &str) -> String {
        [
            "-----BEGIN NATS USER JWT-----",
            jwt,
            "------END NATS USER JWT------",
            "",
            "************************* IMPORTANT *************************",
            "Secrets below.",
            "",
            "-----BEGIN USER NKEY SEED-----",
            seed,
            "------END USER NKEY SEED------",
            "",
        ]
        .join(end)
    }

    #[tokio::test]
    async fn a_credentials_file_gives_its_jwt_and_signs_the_nonce() {
        let key = KeyPair::new_user();
        for end in ["\n", "\r\n"] {
            let file = file(&creds_text("eyJ0.eyJq.c2ln-_", &key.seed().unwrap(), end));
            let auth = auth(&Credentials::CredsFile(file.path().to_owned()), b"nonce").await.unwrap();
            assert_eq!(auth.jwt.as_deref(), Some("eyJ0.eyJq.c2ln-_"));
            key.verify(b"nonce", &auth.signature.unwrap()).unwrap();
            assert_eq!(auth.nkey, None);
        }
    }

    #[tokio::test]
    async fn a_replaced_file_is_used_at_the_next_call() {
        let (old, new) = (KeyPair::new_user(), KeyPair::new_user());
        let file = file(&old.seed().unwrap());
        let credentials = Credentials::NkeyFile(file.path().to_owned());
        assert_eq!(auth(&credentials, b"n").await.unwrap().nkey, Some(old.public_key()));
        std::fs::write(file.path(), format!("# comment\n  {}\n", new.seed().unwrap())).unwrap();
        let renewed = auth(&credentials, b"n").await.unwrap();
        assert_eq!(renewed.nkey, Some(new.public_key()));
        new.verify(b"n", &renewed.signature.unwrap()).unwrap();
    }

    #[tokio::test]
    async fn a_secret_file_may_end_in_a_line_break() {
        let file = file(" pass word \r\n");
        let password = SecretSource::File(file.path().to_owned());
        let credentials = Credentials::UserPassword { user: "u".to_owned(), password };
        assert_eq!(auth(&credentials, b"").await.unwrap().password.as_deref(), Some(" pass word "));
        let token = Credentials::Token(SecretSource::Inline(Secret::new("t".to_owned())));
        assert_eq!(auth(&token, b"").await.unwrap().token.as_deref(), Some("t"));
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_file_is_said_with_its_path_and_without_its_secret() {
        let seed = KeyPair::new_user().seed().unwrap();
        let damaged = format!("{}{}", &seed[..20], seed[20..].chars().rev().collect::<String>());
        let cases = [
            ("".to_owned(), "is empty"),
            (seed, "holds no user JWT"),
            (creds_text("", "", "\n"), "holds no user JWT"),
            (creds_text("a.b.c", "", "\n"), "holds no nkey seed of a user"),
            (creds_text("a.b.c", &damaged, "\n"), "cannot be used"),
        ];
        for (text, expected) in cases {
            let file = file(&text);
            let error =
                auth(&Credentials::CredsFile(file.path().to_owned()), b"n").await.err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(error.contains(&file.path().display().to_string()), "{error}");
            assert!(!error.contains(&damaged), "{error}");
        }
        let error = auth(&Credentials::NkeyFile("/nowhere/k".into()), b"n").await.err().unwrap();
        assert!(matches!(error, CredentialsError::Unreadable { .. }), "{error}");
    }
}
