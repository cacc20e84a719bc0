//! Names that people type.

use crate::model::ids::ServerKey;

/// `CLUSTER/NAME`. Names hold nearly anything: the first slash ends the cluster's.
pub(super) fn server(text: &str) -> anyhow::Result<ServerKey> {
    match text.split_once('/') {
        Some((cluster, name)) if !cluster.is_empty() && !name.is_empty() => {
            Ok(ServerKey { cluster: cluster.into(), name: name.into() })
        }
        Some(_) | None => {
            anyhow::bail!("{text:?} is no server; write CLUSTER/NAME, as `gatewatch status` does")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_its_cluster_and_its_own_name() {
        assert_eq!(server("east/east-1").unwrap().to_string(), "east/east-1");
        for bad in ["east-1", "/east-1", "east/", ""] {
            assert!(server(bad).unwrap_err().to_string().contains("CLUSTER/NAME"), "{bad:?}");
        }
    }
}
