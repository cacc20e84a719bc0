//! INFO: the line with which a server greets on every port. On a gateway port it says whose gateway that is.

use super::names::plain;
use crate::model::ids::ClusterName;
use serde::Deserialize;
use std::borrow::Cow;

/// How a greeting begins.
const WORD: &[u8] = b"INFO ";

/// Largest greeting that is looked at, in bytes. Real ones are below 1 KiB.
pub const MAX_GREETING: usize = 64 << 10;

#[derive(Deserialize)]
struct Info<'a> {
    #[serde(borrow)]
    server_id: Cow<'a, str>,
    #[serde(borrow)]
    gateway: Cow<'a, str>,
}

/// Whether what was received so far can still become a greeting.
#[must_use]
pub fn may_greet(received: &[u8]) -> bool {
    let compared = received.len().min(WORD.len());
    received.len() <= MAX_GREETING && received[..compared].eq_ignore_ascii_case(&WORD[..compared])
}

/// The cluster of the gateway that greets with this line; `None` when it is no gateway's greeting.
#[must_use]
pub fn gateway(line: &[u8]) -> Option<ClusterName> {
    if !may_greet(line) {
        return None;
    }
    let info: Info<'_> = serde_json::from_slice(line.get(WORD.len()..)?).ok()?;
    plain(&info.server_id).ok()?;
    plain(&info.gateway).ok()?;
    Some(ClusterName::from(info.gateway.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_says_its_cluster() {
        let line = b"INFO {\"server_id\":\"NA\",\"gateway\":\"ea.st\",\"gateway_nrp\":true} \r\n";
        assert_eq!(gateway(line), Some("ea.st".into()));
    }

    #[test]
    fn other_ports_and_other_programs_are_no_gateways() {
        let long = format!("INFO {{\"server_id\":\"NA\",\"gateway\":\"{}\"}}\r\n", "x".repeat(MAX_GREETING));
        for line in [
            "INFO {\"server_id\":\"NA\",\"cluster\":\"east\"}\r\n",
            "INFO {\"server_id\":\"NA\",\"gateway\":\"\"}\r\n",
            "INFO {\"server_id\":\"NA\",\"gateway\":\"a\\nb\"}\r\n",
            "INFO {\"server_id\":\"NA\",\"gateway\":7}\r\n",
            "INFO {\"gateway\":\"east\"}\r\n",
            "INFO nothing\r\n",
            "INFO",
            "",
            "HTTP/1.1 400 Bad Request\r\n",
            long.as_str(),
        ] {
            assert_eq!(gateway(line.as_bytes()), None, "{line:.60}");
        }
    }

    #[test]
    fn a_stranger_is_known_by_its_first_bytes() {
        assert!(["", "I", "INFO", "INFO {"].iter().all(|text| may_greet(text.as_bytes())));
        assert!(["S", "IN F", "INFOS"].iter().all(|text| !may_greet(text.as_bytes())));
        assert!(!may_greet(&[b"INFO ".as_slice(), &[b'x'; MAX_GREETING]].concat()));
    }
}
