//! Which addresses were looked at lately, so that none is looked at too often.

use crate::model::probe::GatewayAddress;
use crate::model::time::Mono;
use std::collections::BTreeMap;
use std::time::Duration;

/// Shortest time between two looks at one address.
const SPARE: Duration = Duration::from_secs(10);
/// Addresses remembered. With more than that within [`SPARE`], further ones are left out.
const MAX_REMEMBERED: usize = 1024;

/// When addresses were last looked at.
#[derive(Debug, Default)]
pub(super) struct Recent(BTreeMap<(String, u16), Mono>);

impl Recent {
    /// Whether an address may be looked at now; if so, that it is.
    pub(super) fn admit(&mut self, address: &GatewayAddress, now: Mono) -> bool {
        if self.0.len() >= MAX_REMEMBERED {
            self.0.retain(|_, at| now.since(*at) < SPARE);
        }
        let key = (address.host.to_ascii_lowercase(), address.port);
        let due = match self.0.get(&key) {
            Some(at) => now.since(*at) >= SPARE,
            None => self.0.len() < MAX_REMEMBERED,
        };
        if due {
            self.0.insert(key, now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> GatewayAddress {
        GatewayAddress { host: host.to_owned(), port, tls: false }
    }

    #[test]
    fn an_address_is_looked_at_every_ten_seconds_at_most() {
        let mut recent = Recent::default();
        assert!(recent.admit(&at("h", 1), Mono::from_millis(5)));
        assert!(!recent.admit(&at("H", 1), Mono::from_millis(10_004)));
        assert!(!recent.admit(&GatewayAddress { tls: true, ..at("h", 1) }, Mono::from_millis(10_004)));
        assert!(recent.admit(&at("h", 2), Mono::from_millis(10_004)));
        assert!(recent.admit(&at("h", 1), Mono::from_millis(10_005)));
        assert!(!recent.admit(&at("h", 1), Mono::from_millis(10_006)));
    }

    #[test]
    fn ever_new_addresses_fill_no_more_than_a_table() {
        let mut recent = Recent::default();
        let admitted = (0..5_000).filter(|port| recent.admit(&at("h", *port), Mono::from_millis(1))).count();
        assert_eq!((admitted, recent.0.len()), (MAX_REMEMBERED, MAX_REMEMBERED));
        assert!(recent.admit(&at("h", 6_000), Mono::from_millis(10_001)));
        assert_eq!(recent.0.len(), 1);
    }
}
